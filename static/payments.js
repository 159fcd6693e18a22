"use strict";
// Adds up the amounts beside the invoices while a person types. The server does the same sums again.

// An exact count of the currency's smallest unit, or null: another way of writing numbers is none, as on the server.
// A point at the end is an amount that is still being typed.
function toMinor(text, table) {
  const { group, point } = table.dataset;
  const decimals = Number(table.dataset.decimals);
  const typed = group.trim() ? text.trim() : text.trim().replace(/\s/g, group);
  if (typed === "") return 0n;
  const [whole, fraction = "", ...more] = typed.split(point);
  const parts = whole.split(group);
  const grouped = parts.length === 1 || (/^\d{1,3}$/.test(parts[0]) && parts.slice(1).every((one) => /^\d{3}$/.test(one)));
  const digits = parts.join("");
  if (!grouped || more.length || !/^\d+$/.test(digits) || !/^\d*$/.test(fraction) || fraction.length > decimals) return null;
  return BigInt(digits + fraction.padEnd(decimals, "0"));
}

const orNothing = (text, table) => toMinor(text, table) || 0n;

function toText(minor, table, grouped) {
  const decimals = Number(table.dataset.decimals);
  const { group, point } = table.dataset;
  const digits = String(minor).padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const parted = grouped ? whole.replace(/\B(?=(\d{3})+$)/g, group) : whole;
  return decimals ? `${parted}${point}${digits.slice(-decimals)}` : parted;
}

// As the partner writes dates.
function toDay(iso, table) {
  const time = new Date(`${iso}T00:00:00Z`);
  if (Number.isNaN(time.getTime())) return "that day";
  const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][time.getUTCMonth()];
  const [day, year] = [time.getUTCDate(), time.getUTCFullYear()];
  if (table.dataset.dates === "year_month_day") return iso;
  return table.dataset.dates === "month_day_year" ? `${month} ${day}, ${year}` : `${day} ${month} ${year}`;
}

const rowsOf = (table) => [...table.querySelectorAll("[data-row]")];
const inputOf = (row) => row.querySelector("input");

const handOf = (form) => new Set(form.querySelector("[data-by-hand]").value.split(" ").filter(Boolean));

// What a person did not allocate by hand goes to the invoice on top, then to the oldest.
function spread(form, table, received) {
  const byHand = handOf(form);
  const [kept, free] = [[], []];
  for (const row of rowsOf(table)) (byHand.has(inputOf(row).name) ? kept : free).push(row);
  let left = kept.reduce((rest, row) => rest - orNothing(inputOf(row).value, table), received);
  for (const row of free) {
    const owed = orNothing(row.dataset.owed, table);
    const part = left < owed ? left : owed;
    inputOf(row).value = part > 0n ? toText(part, table, false) : "";
    if (part > 0n) left -= part;
  }
}

// Money on its way, of a kind that Autotask hears of only once it has arrived.
function isHeld(form, table) {
  const pending = form.querySelector("[data-pending]");
  const method = form.querySelector("[name=method]");
  return Boolean(pending && pending.checked && method && table.dataset.held.split(" ").includes(method.value));
}

// A day that the server would refuse is promised nowhere.
function tell(row, table, paidOn, refused) {
  const part = orNothing(inputOf(row).value, table);
  const owed = orNothing(row.dataset.owed, table);
  const last = row.dataset.latest > paidOn ? row.dataset.latest : paidOn;
  let words = "";
  const held = isHeld(table.closest(".payment-form"), table);
  const whenFull = held ? row.dataset.whenHeld : refused ? "" : row.dataset.whenFull.replace("{day}", toDay(last, table));
  if (part > 0n) words = part < owed ? row.dataset.whenPart : whenFull;
  if (part > owed) words = `Only ${toText(owed, table, true)} is still owed here.`;
  row.querySelector("[data-says]").textContent = words;
  const stale = row.querySelector(".field-error");
  if (stale) stale.remove();
}

// Whether the rows that are not typed by hand leave this much for the open invoices that have no row.
function goesOn(form, table, left) {
  if (!("goesOn" in table.dataset) || left > orNothing(table.dataset.othersOwe, table)) return false;
  const byHand = handOf(form);
  const free = rowsOf(table).filter((row) => !byHand.has(inputOf(row).name));
  return free.every((row) => orNothing(inputOf(row).value, table) === orNothing(row.dataset.owed, table));
}

// The amount is what the person typed; what the invoices take is compared with it, never put in its place.
function addUp(form) {
  const table = form.querySelector("[data-allocations]");
  const { value: paidOn, validity } = form.querySelector("[data-paid-on]");
  const refused = validity.rangeOverflow || validity.rangeUnderflow;
  const typed = toMinor(form.querySelector("[data-received]").value, table);
  const received = typed || 0n;
  const sum = rowsOf(table).reduce((total, row) => total + orNothing(inputOf(row).value, table), 0n);
  rowsOf(table).forEach((row) => tell(row, table, paidOn, refused));
  form.querySelector("[data-total]").textContent = toText(sum, table, true);
  const left = typed === null ? 0n : received - sum;
  const onward = left > 0n && goesOn(form, table, left);
  const words = onward ? table.dataset.goesOn : left > 0n ? "not allocated" : table.dataset.tooMuch;
  const says = form.querySelector("[data-left]");
  says.textContent = left === 0n ? "" : `${toText(left < 0n ? -left : left, table, true)} ${words}`;
  says.classList.toggle("is-off", left !== 0n && !onward);
  const button = form.querySelector(".form-actions [data-words]");
  button.dataset.plain ||= button.textContent;
  button.textContent = received > 0n ? `${button.dataset.plain} of ${toText(received, table, true)}` : button.dataset.plain;
}

function onInput(event) {
  const form = event.target.closest(".payment-form");
  if (!form) return;
  const table = form.querySelector("[data-allocations]");
  const received = form.querySelector("[data-received]");
  if (event.target === received) {
    const amount = toMinor(received.value, table);
    if (amount !== null) spread(form, table, amount);
  } else if (event.target.closest("[data-row]")) {
    form.querySelector("[data-by-hand]").value = [...handOf(form).add(event.target.name)].join(" ");
  }
  addUp(form);
}

function begin(root) {
  const form = root.matches && root.matches(".payment-form") ? root : root.querySelector(".payment-form");
  if (!form) return;
  const table = form.querySelector("[data-allocations]");
  const received = form.querySelector("[data-received]");
  const untouched = rowsOf(table).every((row) => inputOf(row).value === "");
  const asked = table.hasAttribute("data-as-sent"); // which invoices are paid is for the person to say now
  const found = table.hasAttribute("data-found"); // those on top get their part before the others
  if (found || (untouched && !asked && !document.querySelector(".error-summary"))) spread(form, table, orNothing(received.value, table));
  if (!form.querySelector("[data-row] .field-error")) addUp(form);
}

document.addEventListener("input", onInput);
document.addEventListener("DOMContentLoaded", () => begin(document.body));
document.addEventListener("htmx:load", (event) => begin(event.target));
