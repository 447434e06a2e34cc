// All that pages need beyond HTML: keys, live parts, filters, drafts and dropped files. No library, no build step.
"use strict";
const $ = (s, in_ = document) => in_.querySelector(s);
const $$ = (s, in_ = document) => [...in_.querySelectorAll(s)];
const stored = {
  get(k, or) { try { return JSON.parse(localStorage.getItem(k)) ?? or; } catch { return or; } },
  set(k, v) { try { localStorage.setItem(k, JSON.stringify(v)); } catch { /* a browser that keeps nothing */ } },
};

// Live parts: the server sends HTML of its own templates, and only what has changed.
function fill(el, html) {
  const t = document.createElement("template");
  t.innerHTML = html;
  const now = [...t.content.childNodes], was = [...el.childNodes];
  if (now.length !== was.length) { el.replaceChildren(...now); return; }
  now.forEach((n, i) => { if (!n.isEqualNode(was[i])) patch(was[i], n); });
}
// A cell that has changed is filled, not replaced, so focus and selection stay in the others.
function patch(was, now) {
  if (was.nodeName !== now.nodeName || was.nodeType !== 1) { was.replaceWith(now); return; }
  for (const a of [...was.attributes]) if (!now.hasAttribute(a.name)) was.removeAttribute(a.name);
  for (const a of now.attributes) if (was.getAttribute(a.name) !== a.value) was.setAttribute(a.name, a.value);
  const a = [...was.childNodes], b = [...now.childNodes];
  if (a.length !== b.length) { was.replaceChildren(...b); return; }
  b.forEach((n, i) => { if (!n.isEqualNode(a[i])) patch(a[i], n); });
}
function setRows({ id, order, rows }) {
  const body = document.getElementById(id);
  if (!body) return;
  const have = new Map($$(":scope > [data-key]", body).map((r) => [r.dataset.key, r]));
  for (const [key, row] of have) if (!order.includes(key)) row.remove();
  let before = body.firstElementChild;
  for (const key of order) {
    let row = have.get(key);
    if (!row) {
      row = document.createElement("tr");
      row.dataset.key = key;
      row.className = "new";
    }
    if (rows[key] !== undefined) fill(row, rows[key]);
    if (row !== before) body.insertBefore(row, before); else before = before.nextElementSibling;
  }
  filter(id);
}
function addLines({ id, html }) {
  const log = document.getElementById(id);
  if (!log) return;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  for (const one of html) log.insertAdjacentHTML("beforeend", one);
  while (log.childElementCount > 500) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
  noLines();
}
const noLines = () => $$("[data-none]").forEach((p) => { p.hidden = document.getElementById(p.dataset.none).childElementCount > 0; });
function listen(path) {
  const sign = $("#live"), source = new EventSource(path);
  const say = (on) => { if (sign) { sign.classList.toggle("on", on); sign.lastElementChild.textContent = on ? "live" : "reconnecting"; } };
  const on = (what, do_) => source.addEventListener(what, (e) => { say(true); do_(JSON.parse(e.data)); });
  on("part", ({ id, html }) => { const el = document.getElementById(id); if (el) fill(el, html); });
  on("rows", setRows);
  on("lines", addLines);
  on("still", () => { });
  source.onerror = () => {
    say(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(path), 3000);
  };
  addEventListener("pagehide", () => source.close());
}

// A filter hides rows that do not have all of its words.
function filter(id) {
  const body = document.getElementById(id), field = $(`[data-filter="${id}"]`);
  if (!body) return;
  const words = (field?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  let seen = 0;
  for (const row of body.children) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((w) => text.includes(w));
    if (!row.hidden) seen++;
  }
  $(`[data-empty="${id}"]`)?.classList.toggle("hide", body.childElementCount > 0);
  $(`[data-nothing="${id}"]`)?.classList.toggle("hide", seen > 0 || body.childElementCount === 0);
}
$$("[data-filter]").forEach((f) => {
  f.addEventListener("input", () => {
    filter(f.dataset.filter);
    const u = new URL(location);
    if (f.value) u.searchParams.set("q", f.value); else u.searchParams.delete("q");
    history.replaceState(null, "", u);
  });
});

// Rows: a click opens, j and k choose, Enter opens.
const links = (row) => $(".name a, a", row);
const shown = () => $$("[data-rows] > :not([hidden])");
let chosen = null;
function choose(step) {
  const rows = shown();
  if (!rows.length) return;
  const at = rows.indexOf(chosen);
  chosen?.classList.remove("chosen");
  chosen = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  chosen.classList.add("chosen");
  const to = links(chosen) ?? chosen;
  to.focus({ preventScroll: true });
  chosen.scrollIntoView({ block: "nearest" });
}
document.addEventListener("click", (e) => {
  const row = e.target.closest("[data-open] tbody > tr");
  if (row && !e.target.closest("a, input, button, label, summary") && !String(getSelection())) links(row)?.click();
});

// Keys.
let after = "";
document.addEventListener("keydown", (e) => {
  const field = e.target.closest("input, textarea, select");
  if (e.key === "Escape" && field) { field.blur(); return; }
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { $("[data-play]")?.requestSubmit(); return; }
  if (field && !["checkbox", "radio"].includes(field.type) || e.ctrlKey || e.metaKey || e.altKey || $("dialog[open]")) return;
  const go = after === "g" && $(`[data-go="${CSS.escape(e.key)}"]`);
  after = e.key;
  if (go) { after = ""; go.click(); return; }
  switch (e.key) {
    case "/": $("input[type=search]")?.focus(); break;
    case "j": choose(1); break;
    case "k": choose(-1); break;
    case "Enter": if (chosen && e.target === document.body) links(chosen)?.click(); return;
    case "?": $("#help")?.showModal(); break;
    default: return;
  }
  e.preventDefault();
});
$("[data-help]")?.addEventListener("click", () => $("#help").showModal());
$("[data-theme-switch]")?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("polyvoke-theme", root.dataset.theme); } catch { /* it holds for this page */ }
});

// Playground: the form works without a script; with one, the page stays.
const play = $("[data-play]");
if (play) {
  const field = (n) => play.elements[n];
  play.addEventListener("submit", async (e) => {
    e.preventDefault();
    const out = $("#outcome");
    out.setAttribute("aria-busy", "true");
    try {
      const r = await fetch(play.action, { method: "POST", headers: { "X-Fragment": "1" }, body: new URLSearchParams(new FormData(play)) });
      const page = new DOMParser().parseFromString(await r.text(), "text/html");
      const made = page.querySelector("#outcome"), trouble = page.querySelector("[role=alert]");
      out.replaceChildren(...(trouble ? [trouble] : made ? made.childNodes : []));
      const sample = page.querySelector("details pre"), here = $("details pre", play);
      if (sample && here && play.contains(here)) here.textContent = sample.textContent;
    } catch (err) {
      out.textContent = "polyvoke does not answer: " + err.message;
    }
    out.removeAttribute("aria-busy");
  });
  $("[data-format]").addEventListener("click", () => {
    try { field("body").value = JSON.stringify(JSON.parse(field("body").value), null, 2); } catch (e) { field("body").setCustomValidity(e.message); field("body").reportValidity(); }
  });
  field("body").addEventListener("input", () => field("body").setCustomValidity(""));
  field("function").addEventListener("change", () => {
    if (field("path").value.startsWith("/fn/")) field("path").value = "/fn/" + field("function").value;
  });
  const names = ["via", "function", "args", "timeout", "method", "path", "body", "headers"];
  const drafts = $("[data-drafts]");
  const show = () => drafts.replaceChildren(new Option("Drafts", ""), ...stored.get("polyvoke-drafts", []).map((d, i) => new Option(d.title, i)));
  $("[data-save]").addEventListener("click", () => {
    const d = Object.fromEntries(names.map((n) => [n, field(n).value]));
    d.title = `${d.function}${d.args ? "." + d.args : ""} · ${d.body.slice(0, 24).replace(/\s+/g, " ") || "empty"}`;
    stored.set("polyvoke-drafts", [d, ...stored.get("polyvoke-drafts", []).filter((o) => o.title !== d.title)].slice(0, 30));
    show();
    drafts.value = "0";
  });
  drafts.addEventListener("change", () => {
    const d = stored.get("polyvoke-drafts", [])[drafts.value];
    if (d) names.forEach((n) => { field(n).value = d[n] ?? ""; });
  });
  show();
}

// Upload: files and folders are dropped anywhere on the page.
const up = $("[data-upload]");
if (up) {
  const drop = $(".drop"), input = $("input[type=file]", up), said = $("[data-chosen]");
  let files = [];
  const chose = (all) => {
    files = all;
    said.textContent = all.length > 3 ? `${all.length} files` : all.map((f) => f.path).join(", ");
    drop.classList.toggle("has", all.length > 0);
  };
  input.addEventListener("change", () => chose([...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }))));
  const walk = async (entry, into, base) => {
    if (entry.isFile) { into.push({ path: base + entry.name, file: await new Promise((ok, no) => entry.file(ok, no)) }); return; }
    const reader = entry.createReader();
    for (let some; (some = await new Promise((ok, no) => reader.readEntries(ok, no))).length;) {
      for (const e of some) await walk(e, into, base + entry.name + "/");
    }
  };
  addEventListener("dragover", (e) => { e.preventDefault(); drop.classList.add("over"); });
  addEventListener("dragleave", (e) => { if (!e.relatedTarget) drop.classList.remove("over"); });
  addEventListener("drop", async (e) => {
    e.preventDefault();
    drop.classList.remove("over");
    const all = [], entries = [...e.dataTransfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...e.dataTransfer.files].map((file) => ({ path: file.name, file }));
    for (const entry of entries) await walk(entry, all, "");
    if (!entries.length) all.push(...plain);
    chose(all);
  });
  up.addEventListener("submit", async (e) => {
    e.preventDefault();
    if (!files.length) { input.click(); return; }
    const form = new FormData();
    for (const n of ["name", "runtime"]) form.append(n, up.elements[n].value);
    for (const f of files) form.append("file", f.file, f.path);
    up.setAttribute("aria-busy", "true");
    try {
      const r = await fetch(up.action, { method: "POST", headers: { "X-Fragment": "1" }, body: form });
      const page = new DOMParser().parseFromString(await r.text(), "text/html");
      $$("#main > .banner, #deployed").forEach((old) => old.remove());
      up.before(...page.querySelectorAll("#deployed, .banner:not(#deployed .banner)"));
      if (r.ok) chose([]);
    } catch (err) {
      said.textContent = "polyvoke does not answer: " + err.message;
    }
    up.removeAttribute("aria-busy");
  });
}

// What changes for good is asked about first.
document.addEventListener("submit", (e) => {
  const ask = e.submitter?.dataset.ask;
  if (ask && !confirm(ask)) e.preventDefault();
});
$("[data-all]")?.addEventListener("change", (e) => $$("input[name=job][type=checkbox]").forEach((c) => { c.checked = e.target.checked; }));

// A link to log in has the token behind its #, which no server logs.
const login = $("#login");
if (login && location.hash.length > 1) {
  login.elements.token.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  login.requestSubmit();
}

const log = $("[data-lines]");
if (log) log.scrollTop = log.scrollHeight;
noLines();
const live = $("#main").dataset.live;
if (live) listen(live); else $("#live")?.remove();
