"use strict";
// Everything here makes a page that already works more pleasant; no page needs it.

const messages = () => document.getElementById("messages");
const dialog = () => document.getElementById("dialog");

function say(words) {
  document.getElementById("announce").textContent = words;
}

// Light and dark follow the system until a person chooses; the choice is a cookie, so the server draws it at once.
function setUpTheme(button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const systemDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const dark = (root.dataset.scheme || (systemDark ? "dark" : "light")) === "dark";
    root.dataset.scheme = dark ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${root.dataset.scheme}; path=/; max-age=31536000; samesite=lax${secure}`;
    say(dark ? "Light colours" : "Dark colours");
  });
}

// A form that is under way cannot be sent again; its button says what is happening.
function hold(form, submitter) {
  const button = submitter || form.querySelector("button:not([type=button])");
  form.dataset.busy = "true";
  if (!button) return;
  const words = button.querySelector("[data-words]") || button;
  button.style.minWidth = `${button.offsetWidth}px`;
  if (button.dataset.busy && words.children.length === 0) {
    words.dataset.usual = words.textContent;
    words.textContent = button.dataset.busy;
  }
  button.setAttribute("aria-busy", "true");
  setTimeout(() => { button.disabled = true; });
  if (!form.hasAttribute("hx-post")) setTimeout(() => release(form), 20000); // it answered with a file
}

function release(form) {
  delete form.dataset.busy;
  for (const button of form.querySelectorAll("button[aria-busy]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
    const words = button.querySelector("[data-words]") || button;
    if (words.dataset.usual) words.textContent = words.dataset.usual;
    delete words.dataset.usual;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if (form.dataset.busy) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  hold(form, event.submitter);
}, true);

addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-busy]").forEach(release);
});

document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.detail.elt.closest ? event.detail.elt.closest("form[data-busy]") : null;
  if (form && !event.detail.xhr.getResponseHeader("HX-Redirect")) release(form);
});

// Refusals and faults arrive as words from the server and go to the message region, said once.
function show(html) {
  const box = document.createElement("div");
  box.append(html);
  if (box.textContent.trim() === messages().textContent.trim()) return;
  messages().replaceChildren(...box.childNodes);
  const covered = messages().getBoundingClientRect();
  if (covered.bottom < 0 || covered.top > innerHeight) messages().scrollIntoView({ block: "nearest" });
}

const standing = (id) => document.getElementById(id).content.cloneNode(true);

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status < 400 || xhr.status === 422) return;
  event.detail.shouldSwap = false;
  if (event.detail.elt.id === "live") {
    if ([403, 404].includes(xhr.status)) location.reload(); // nobody's any more: the page that says so
    return; // else it asks again by itself
  }
  if (xhr.getResponseHeader("HX-Retarget") !== "#messages") return show(standing("no-words"));
  const template = document.createElement("template");
  template.innerHTML = xhr.responseText;
  show(template.content);
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    if (event.target.id !== "live") show(standing("no-answer"));
  });
}
document.addEventListener("announce", (event) => say(event.detail.value));

// An open page asks for itself again and is drawn anew where it changed, but never under a person's hands.
const live = () => document.getElementById("live");
const TYPED = "input:not([type=hidden]), textarea, select";

function isChanged(field) {
  if (field.closest(".filter-bar")) return false; // stands in the address
  if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
  if (field.matches("select")) return [...field.options].some((option) => option.selected !== option.defaultSelected);
  return field.value !== field.defaultValue;
}

function isInUse(region) {
  const active = document.activeElement;
  const selected = getSelection();
  return document.hidden || dialog().open || document.querySelector("details[data-menu][open], form[data-busy]")
    || (region.contains(active) && active.matches(TYPED))
    || (!selected.isCollapsed && region.contains(selected.anchorNode))
    || [...region.querySelectorAll(TYPED)].some(isChanged);
}

document.addEventListener("htmx:configRequest", (event) => {
  if (event.target.id !== "live") {
    delete event.detail.headers["X-Portal-Poll"]; // htmx hands the page's own down to everything inside it
    return;
  }
  event.detail.path = location.pathname + location.search;
  event.detail.parameters.seen = event.target.dataset.seen;
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.id === "live" && isInUse(event.target)) event.preventDefault();
});

// What was opened stays open, and the keyboard stays where it was.
let kept = null;
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id !== "live") return;
  if (isInUse(live())) event.detail.shouldSwap = false;
  const active = live().contains(document.activeElement) ? document.activeElement : null;
  const opened = [...live().querySelectorAll("details[open] > summary")].map((one) => one.textContent);
  kept = { tag: active && active.tagName, words: active && active.textContent, opened };
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "live" || !kept) return;
  for (const summary of live().querySelectorAll("details > summary")) {
    if (kept.opened.includes(summary.textContent)) summary.parentElement.open = true;
  }
  const same = kept.tag && [...live().querySelectorAll(kept.tag)].find((one) => one.textContent === kept.words);
  if (same) same.focus({ preventScroll: true });
  kept = null;
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && live()) htmx.trigger(live(), "live-now");
});

// A confirmation page opens as a dialog over the page it belongs to.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "dialog-body" && !dialog().open) dialog().showModal();
  const focus = event.detail.target.querySelector("[data-focus]");
  if (focus) focus.focus();
});

function copy(button) {
  navigator.clipboard.writeText(button.dataset.copy).then(() => {
    button.classList.add("is-copied");
    say("Copied");
    setTimeout(() => button.classList.remove("is-copied"), 1500);
  });
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const closes = event.target.closest("[data-closes-dialog]");
  if ((closes && dialog().contains(closes)) || event.target === dialog()) {
    event.preventDefault();
    dialog().close();
  }
  const copies = event.target.closest("[data-copy]");
  if (copies) copy(copies);
  if (event.target.closest("[data-back]") && history.length > 1) {
    event.preventDefault();
    history.back();
  }
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector("[data-search-key]");
    if (search && search.offsetParent) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
  const menu = event.key === "Escape" && event.target.closest("details[data-menu][open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// The minutes left of a support visit.
function tick() {
  for (const left of document.querySelectorAll("[data-until]")) {
    const minutes = Math.max(0, Math.ceil((Date.parse(left.dataset.until) - Date.now()) / 60000));
    const words = minutes === 1 ? "1 minute left" : `${minutes} minutes left`;
    if (left.textContent !== words) left.textContent = words;
  }
}

// A mail's frame is as high as the mail. Nothing in the frame can run: it is allowed no script.
function grow(frame) {
  const page = frame.contentDocument;
  if (!page || !page.body || !page.body.firstChild) return;
  frame.style.height = "0";
  frame.style.height = `${page.documentElement.scrollHeight + 2}px`;
}

function letGrow(frame) {
  frame.addEventListener("load", () => grow(frame));
  addEventListener("resize", () => grow(frame));
  grow(frame);
}

// In a table that scrolls sideways a row's menu would open inside it: it is put over the page instead.
function place(menu) {
  const panel = menu.querySelector(".menu-panel");
  const box = menu.closest(".table-box");
  panel.removeAttribute("style");
  if (!menu.open || !box || getComputedStyle(box).overflowX === "visible") return;
  const button = menu.querySelector("summary").getBoundingClientRect();
  panel.style.position = "fixed";
  panel.style.right = `${document.documentElement.clientWidth - button.right}px`;
  panel.style.left = "auto";
  const below = button.bottom + 4;
  const fits = below + panel.offsetHeight < innerHeight || button.top - 4 < panel.offsetHeight;
  panel.style.top = fits ? `${below}px` : `${button.top - 4 - panel.offsetHeight}px`;
}
document.addEventListener("toggle", (event) => {
  if (event.target.matches("details[data-menu]")) place(event.target);
}, true);
for (const name of ["scroll", "resize"]) {
  addEventListener(name, () => {
    document.querySelectorAll(".table-box details[data-menu][open]").forEach(place);
  }, { capture: true, passive: true });
}

function reveal(root) {
  root.querySelectorAll("[data-grows]").forEach(letGrow);
  root.querySelectorAll(".table-box").forEach(letScroll);
  root.querySelectorAll("[data-theme-toggle]").forEach(setUpTheme);
  if (navigator.clipboard) root.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
}

// A table wider than its place can be scrolled by keyboard too.
function letScroll(box) {
  if (box.scrollWidth <= box.clientWidth) return box.removeAttribute("tabindex");
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", box.querySelector("caption").textContent);
}

reveal(document);
addEventListener("resize", () => document.querySelectorAll(".table-box").forEach(letScroll));
document.addEventListener("htmx:load", (event) => {
  if (event.target !== document.body) reveal(event.target);
});
tick();
setInterval(tick, 15000);
