"use strict";
// Adds up the amounts beside the invoices while a person types. The server does the same sums again.

const perUnit = (table) => 10 ** Number(table.dataset.decimals);

function toMinor(text, table) {
  const plain = text.trim().replace(/,/g, "");
  if (!/^\d+(\.\d+)?$/.test(plain)) return plain === "" ? 0 : NaN;
  return Math.round(Number(plain) * perUnit(table));
}

function toText(minor, table, grouped) {
  const decimals = Number(table.dataset.decimals);
  const text = (minor / perUnit(table)).toFixed(decimals);
  return grouped ? text.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",") : text;
}

function toDay(iso) {
  const day = new Date(`${iso}T00:00:00Z`);
  if (Number.isNaN(day.getTime())) return "that day";
  const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][day.getUTCMonth()];
  return `${day.getUTCDate()} ${month} ${day.getUTCFullYear()}`;
}

const rowsOf = (table) => [...table.querySelectorAll("[data-row]")];
const inputOf = (row) => row.querySelector("input");

// The money received goes to the invoice on top, then to the oldest, until a person changes a row.
function spread(table, received) {
  let left = received;
  for (const row of rowsOf(table)) {
    const part = Math.min(left, toMinor(row.dataset.owed, table));
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

function addUp(form) {
  const table = form.querySelector("[data-allocations]");
  const paidOn = form.querySelector("[data-paid-on]").value;
  const sum = rowsOf(table).reduce((total, row) => total + (toMinor(inputOf(row).value, table) || 0), 0);
  rowsOf(table).forEach((row) => tell(row, table, paidOn));
  form.querySelector("[data-total]").textContent = toText(sum, table, true);
  const words = form.querySelector(".form-actions [data-words]");
  words.dataset.plain ||= words.textContent;
  words.textContent = sum > 0 ? `${words.dataset.plain} of ${toText(sum, table, true)}` : words.dataset.plain;
}

function onInput(event) {
  const form = event.target.closest(".payment-form");
  if (!form) return;
  const table = form.querySelector("[data-allocations]");
  const received = form.querySelector("[data-received]");
  if (event.target === received) {
    const amount = toMinor(received.value, table);
    if (!Number.isNaN(amount)) spread(table, amount);
  } else if (event.target.closest("[data-row]")) {
    const sum = rowsOf(table).reduce((total, row) => total + (toMinor(inputOf(row).value, table) || 0), 0);
    received.value = sum > 0 ? toText(sum, table, false) : "";
  }
  addUp(form);
}

function begin(root) {
  const form = root.matches && root.matches(".payment-form") ? root : root.querySelector(".payment-form");
  if (!form) return;
  const table = form.querySelector("[data-allocations]");
  const received = form.querySelector("[data-received]");
  const untouched = rowsOf(table).every((row) => inputOf(row).value === "");
  if (untouched && !document.querySelector(".error-summary")) spread(table, toMinor(received.value, table) || 0);
  if (!form.querySelector(".field-error")) addUp(form);
}

document.addEventListener("input", onInput);
document.addEventListener("DOMContentLoaded", () => begin(document.body));
document.addEventListener("htmx:load", (event) => begin(event.target));
