"use strict";
// Adds up the amounts beside the invoices while a person types. The server does the same sums again.

const perUnit = (table) => 10 ** Number(table.dataset.decimals);

// As the partner writes numbers; another way of writing them is no number here, as on the server.
function toMinor(text, table) {
  const { group, point } = table.dataset;
  const typed = group.trim() ? text.trim() : text.trim().replace(/\s/g, group);
  if (typed === "") return 0;
  const [whole, ...decimals] = typed.split(point);
  const parts = whole.split(group);
  const grouped = parts.length === 1 || (/^\d{1,3}$/.test(parts[0]) && parts.slice(1).every((one) => /^\d{3}$/.test(one)));
  const plain = [parts.join(""), ...decimals].join(".");
  return grouped && /^\d+(\.\d+)?$/.test(plain) ? Math.round(Number(plain) * perUnit(table)) : NaN;
}

function toText(minor, table, grouped) {
  const decimals = Number(table.dataset.decimals);
  const { group, point } = table.dataset;
  const [whole, cents] = (minor / perUnit(table)).toFixed(decimals).split(".");
  const parted = grouped ? whole.replace(/\B(?=(\d{3})+$)/g, group) : whole;
  return cents ? `${parted}${point}${cents}` : parted;
}

function toDay(iso) {
  const day = new Date(`${iso}T00:00:00Z`);
  if (Number.isNaN(day.getTime())) return "that day";
  const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][day.getUTCMonth()];
  return `${day.getUTCDate()} ${month} ${day.getUTCFullYear()}`;
}

const rowsOf = (table) => [...table.querySelectorAll("[data-row]")];
const inputOf = (row) => row.querySelector("input");

const handOf = (form) => new Set(form.querySelector("[data-by-hand]").value.split(" ").filter(Boolean));

// What a person did not allocate by hand goes to the invoice on top, then to the oldest.
function spread(form, table, received) {
  const byHand = handOf(form);
  const [kept, free] = [[], []];
  for (const row of rowsOf(table)) (byHand.has(inputOf(row).name) ? kept : free).push(row);
  let left = kept.reduce((rest, row) => rest - (toMinor(inputOf(row).value, table) || 0), received);
  for (const row of free) {
    const part = Math.max(0, Math.min(left, toMinor(row.dataset.owed, table)));
    inputOf(row).value = part > 0 ? toText(part, table, false) : "";
    left -= part;
  }
}

function tell(row, table, paidOn) {
  const part = toMinor(inputOf(row).value, table);
  const owed = toMinor(row.dataset.owed, table);
  const last = row.dataset.latest > paidOn ? row.dataset.latest : paidOn;
  let words = "";
  if (part > 0) words = part < owed ? row.dataset.whenPart : row.dataset.whenFull.replace("{day}", toDay(last));
  if (part > owed) words = `Only ${toText(owed, table, true)} is still owed here.`;
  row.querySelector("[data-says]").textContent = words;
  const stale = row.querySelector(".field-error");
  if (stale) stale.remove();
}

// The amount is what the person typed; what the invoices take is compared with it, never put in its place.
function addUp(form) {
  const table = form.querySelector("[data-allocations]");
  const paidOn = form.querySelector("[data-paid-on]").value;
  const received = toMinor(form.querySelector("[data-received]").value, table) || 0;
  const sum = rowsOf(table).reduce((total, row) => total + (toMinor(inputOf(row).value, table) || 0), 0);
  rowsOf(table).forEach((row) => tell(row, table, paidOn));
  form.querySelector("[data-total]").textContent = toText(sum, table, true);
  const left = received - sum;
  const words = left > 0 ? "not allocated" : table.dataset.tooMuch;
  const says = form.querySelector("[data-left]");
  says.textContent = left === 0 ? "" : `${toText(Math.abs(left), table, true)} ${words}`;
  says.classList.toggle("is-off", left !== 0);
  const button = form.querySelector(".form-actions [data-words]");
  button.dataset.plain ||= button.textContent;
  button.textContent = received > 0 ? `${button.dataset.plain} of ${toText(received, table, true)}` : button.dataset.plain;
}

function onInput(event) {
  const form = event.target.closest(".payment-form");
  if (!form) return;
  const table = form.querySelector("[data-allocations]");
  const received = form.querySelector("[data-received]");
  if (event.target === received) {
    const amount = toMinor(received.value, table);
    if (!Number.isNaN(amount)) spread(form, table, amount);
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
  if (untouched && !document.querySelector(".error-summary")) spread(form, table, toMinor(received.value, table) || 0);
  if (!form.querySelector("[data-row] .field-error")) addUp(form);
}

document.addEventListener("input", onInput);
document.addEventListener("DOMContentLoaded", () => begin(document.body));
document.addEventListener("htmx:load", (event) => begin(event.target));
