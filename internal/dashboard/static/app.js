// Replaces the regions of a page that moved, and nothing that a hand or an eye is on. Without it every page can be read and used.
"use strict";
(() => {
  const page = document.body.dataset.page;
  const live = document.getElementById("live");
  const trouble = document.getElementById("trouble");
  let stream = null, last = 0, skew = 0;

  const say = (text) => { trouble.textContent = text; trouble.hidden = !text; };

  const busy = (region) => {
    const chosen = document.getSelection();
    return region.contains(document.activeElement) ||
      (chosen && !chosen.isCollapsed && region.contains(chosen.anchorNode)) ||
      region.querySelector("details[open]");
  };

  const patch = (p) => {
    last = Date.now();
    skew = new Date(p.now) - last;
    document.title = p.title;
    if (live) live.textContent = "live, " + p.clock;
    say("");
    for (const [name, html] of Object.entries(p.regions)) {
      const region = document.querySelector(`[data-live="${CSS.escape(name)}"]`);
      if (region && !busy(region)) region.innerHTML = html;
    }
  };

  const open = () => {
    if (!page || stream || document.hidden) return;
    stream = new EventSource("/live?page=" + encodeURIComponent(page));
    stream.addEventListener("patch", (e) => patch(JSON.parse(e.data)));
  };
  const close = () => { if (stream) { stream.close(); stream = null; if (live) live.textContent = "paused"; } };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();

  const span = (s) => s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} m` : `${Math.floor(s / 3600)} h ${String(Math.floor(s % 3600 / 60)).padStart(2, "0")} m`;
  setInterval(() => {
    const now = Date.now() + skew;
    for (const t of document.querySelectorAll(".down")) t.textContent = `(in ${span(Math.max(0, Math.round((new Date(t.dataset.until) - now) / 1000)))})`;
    if (stream && last && Date.now() - last > 20000) say(`No contact for ${span(Math.round((Date.now() - last) / 1000))}: what stands here may be old.`);
  }, 1000);
  setInterval(() => {
    for (const t of document.querySelectorAll("time.ago")) {
      const s = Math.round((Date.now() + skew - new Date(t.dateTime)) / 1000);
      t.textContent = s > 86400 ? t.dataset.clock : span(Math.max(0, s)) + " ago";
    }
  }, 60000);

  // Shortcuts. None of them posts, retries, cancels, releases or resolves.
  if (!("keys" in document.body.dataset)) return;
  const parts = { b: "/", d: "/in-doubt", a: "/accounts", f: "/failures", r: "/rules" };
  let go = false;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input,textarea,select")) return;
    if (go && parts[e.key]) { location.href = parts[e.key]; return; }
    go = e.key === "g";
    const rows = [...document.querySelectorAll("tbody tr, .rows li")].filter((r) => r.querySelector("a"));
    const at = rows.findIndex((r) => r.contains(document.activeElement));
    if (e.key === "j" || e.key === "k") {
      const to = rows[Math.min(rows.length - 1, Math.max(0, at + (e.key === "j" ? 1 : -1)))];
      if (to) { to.querySelector("a").focus(); e.preventDefault(); }
    } else if (e.key === "/") {
      const box = document.getElementById("search");
      if (box) { box.focus(); e.preventDefault(); }
    } else if (e.key === "n" || e.key === "p") document.querySelector(`a[rel=${e.key === "n" ? "next" : "prev"}]`)?.click();
    else if (e.key === "t") document.getElementById("times")?.click();
    else if (e.key === "?") location.href = "/settings";
    else if (e.key === "x" && at >= 0) rows[at].querySelector("input[type=checkbox]")?.click();
  });
})();
