// What is wrong with how the page looks, as it is shown now.
(() => {
  const problems = [], root = document.documentElement;
  const say = (what, at) => { if (problems.length < 20) problems.push(what + ": " + at.replace(/\s+/g, " ").slice(0, 160)); };
  // Whether an element, or one that it is in, is folded or cut away to nothing.
  // What is folded is not measured: each measurement would lay it all out again.
  const known = new Map();
  const folded = e => e.parentElement?.tagName == "DETAILS" && !e.parentElement.open && e.tagName != "SUMMARY" &&
    getComputedStyle(e.parentElement, "::details-content").contentVisibility == "hidden";
  const hidden = e => {
    if (!e) return false;
    if (!known.has(e)) known.set(e, hidden(e.parentElement) || folded(e) || e.matches(".skip") || getComputedStyle(e).clipPath != "none" || getComputedStyle(e).display == "none");
    return known.get(e);
  };

  if (root.scrollWidth > root.clientWidth) say("the page is wider than its window", root.scrollWidth + " > " + root.clientWidth);
  for (const e of document.querySelectorAll("body *:not(svg):not(svg *)")) {
    if (!hidden(e) && e.clientWidth && e.scrollWidth > e.clientWidth + 1) say("wider than its box", e.tagName + " " + e.scrollWidth + " > " + e.clientWidth + " " + e.textContent);
  }

  // Every piece of text, and every drawing, with where it is.
  const boxes = [];
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; n = walk.nextNode();) {
    const e = n.parentElement;
    if (!n.data.trim() || e.tagName == "title" || hidden(e)) continue;
    texts++;
    const range = document.createRange();
    range.selectNodeContents(n);
    const rects = e.closest("svg") ? [e.getBoundingClientRect()] : range.getClientRects();
    for (const r of rects) if (r.width && r.height) {
      if (r.left < -1 || r.right > root.clientWidth + 1) say("text beyond the edge", n.data);
      boxes.push({ r, of: n, text: n.data });
    }
  }
  for (const e of document.querySelectorAll("svg.life, svg.lane, svg.mk")) if (!hidden(e)) boxes.push({ r: e.getBoundingClientRect(), of: e, text: e.getAttribute("class") });

  // Lines may touch; more than a third of one may not be under another.
  boxes.sort((a, b) => a.r.top - b.r.top);
  let open = [];
  for (const b of boxes) {
    open = open.filter(a => a.r.bottom > b.r.top);
    for (const a of open) {
      if (a.of == b.of) continue;
      const w = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left), h = Math.min(a.r.bottom, b.r.bottom) - b.r.top;
      if (w > 1 && h > Math.min(a.r.height, b.r.height) / 3) say("overlap of " + w.toFixed() + " by " + h.toFixed(), a.text + " | " + b.text);
    }
    open.push(b);
  }
  const rows = [...document.querySelectorAll("#clusters tbody tr")];
  return { problems, texts, rows: rows.length, shown: rows.filter(r => !hidden(r) && r.getBoundingClientRect().height > 0).length };
})()
