"use strict";
// A line and those of the other side: shown together while it is pointed at or has the focus, until the next
// click if it is clicked.
(() => {
  let lit = [];
  let pinned = null;

  const linked = (node) => node.closest("tr[data-to]");
  const others = (row) => row.dataset.to.split(" ").map((id) => document.getElementById(id));

  function light(row) {
    lit.forEach((r) => r.classList.remove("here", "there"));
    lit = row ? [row, ...others(row)] : [];
    lit.forEach((r, k) => r.classList.add(k ? "there" : "here"));
  }

  function pin(row) {
    if (pinned) pinned.querySelector("a").removeAttribute("aria-current");
    pinned = row;
    light(row);
    if (!row) return;
    row.querySelector("a").setAttribute("aria-current", "true");
    others(row)[0].scrollIntoView({ block: "nearest" });
  }

  function pointed(event) {
    if (!pinned) light(linked(event.target));
  }

  document.addEventListener("mouseover", pointed);
  document.addEventListener("focusin", pointed);
  document.addEventListener("click", (event) => {
    const row = linked(event.target);
    if (!row || event.target.closest("details") || !getSelection().isCollapsed) return;
    event.preventDefault();
    pin(row === pinned ? null : row);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") pin(null);
  });
})();
