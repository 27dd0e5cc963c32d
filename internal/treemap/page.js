"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const map = document.getElementById("map"), way = document.getElementById("way"), card = document.getElementById("card");
  const status = document.getElementById("status"), measures = document.getElementById("measure");
  const header = 21, edge = 3, levels = 3, crumb = 100; // pixels; levels drawn at a time, more of what is large; the least area of a tile

  // Parts, with those that they are in.
  const read = (array, above) => {
    const [name, kind, size, bytes, files, hue, need, base, parts] = array;
    const part = { name, kind, size, bytes, files, hue, need, base, above };
    part.parts = (parts || []).map((p) => read(p, part));
    return part;
  };
  const root = read(data.root, null);
  let measure = "size", at = root;

  const human = (n) => {
    if (n < 1000) return n + " B";
    let unit = 0;
    for (n /= 1000; n >= 999.95 && unit < 5; unit++) n /= 1000;
    return n.toFixed(1) + " " + "kMGTPE"[unit] + "B";
  };
  const percent = (part, whole) => (whole > 0 ? (part * 100 / whole).toFixed(1) : "0") + " %";
  const count = (n, thing) => n + " " + thing + (n === 1 ? "" : "s");
  const element = (tag, text, name) => {
    const e = document.createElement(tag);
    if (text !== undefined) e.textContent = text;
    if (name) e.className = name;
    return e;
  };

  const path = (part) => {
    if (!part.above || part.kind === "p") return part.kind === "p" ? "/nix/store/" + part.base : "";
    const above = path(part.above);
    return "gst".includes(part.kind) ? above : above + "/" + (part.base || part.name);
  };

  // The store path that a part is, holds or is in, with all who need it, a root first.
  const chain = (part) => {
    let need = part.need;
    if (part.kind === "g") need = (part.parts.find((p) => p.need) || part).need;
    for (let p = part.above; !need && p; p = p.above) need = p.need;
    const names = [];
    for (; need; need = data.needs[need].b) names.unshift(data.needs[need].n);
    return names;
  };

  // layout is that of the package treemap: squarified.
  const layout = (parts, weigh, box) => {
    const placed = [];
    let left = parts.reduce((sum, p) => sum + weigh(p), 0), { x, y, w, h } = box;
    for (let start = 0; start < parts.length && weigh(parts[start]) > 0;) {
      const scale = w * h / left, side = Math.min(w, h);
      let end = start, row = 0;
      for (let worst = 0; end < parts.length && weigh(parts[end]) > 0; end++) {
        const next = row + weigh(parts[end]), thick = next * scale / side;
        const long = weigh(parts[start]) * scale / thick, short = weigh(parts[end]) * scale / thick;
        const ratio = Math.max(long / thick, thick / long, short / thick, thick / short);
        if (end > start && ratio > worst) break;
        row = next;
        worst = ratio;
      }
      const share = row / left;
      let from = 0;
      for (; start < end; start++) {
        const length = weigh(parts[start]) / row;
        placed.push([parts[start], w >= h ? { x, y: y + h * from, w: w * share, h: h * length } : { x: x + w * from, y, w: w * length, h: h * share }]);
        from += length;
      }
      left -= row;
      if (w >= h) { x += w * share; w *= 1 - share; } else { y += h * share; h *= 1 - share; }
    }
    return placed;
  };

  // gather puts the parts that would be too small to be seen into one.
  const gather = (part, box) => {
    const all = part.parts.filter((p) => p[measure] > 0).sort((a, b) => b[measure] - a[measure]);
    const sum = all.reduce((n, p) => n + p[measure], 0);
    const small = all.findIndex((p) => p[measure] / sum * box.w * box.h < crumb);
    if (small < 0 || all.length - small < 2) return all;
    const rest = { kind: "s", size: 0, bytes: 0, files: 0, hue: all[small].hue, need: 0, above: part, parts: all.splice(small) };
    rest.name = count(rest.parts.length, "smaller part");
    for (const p of rest.parts) {
      rest.size += p.size;
      rest.bytes += p.bytes;
      rest.files += p.files;
    }
    if (rest.size === part.size) return rest.parts; // all of them are
    return [...all, rest].sort((a, b) => b[measure] - a[measure]);
  };

  const put = (e, box) => {
    e.style.left = box.x.toFixed(1) + "px";
    e.style.top = box.y.toFixed(1) + "px";
    e.style.width = Math.max(1, box.w - 1).toFixed(1) + "px";
    e.style.height = Math.max(1, box.h - 1).toFixed(1) + "px";
  };

  let tiles = [];
  const shown = new WeakMap(); // parts by their tiles
  const tile = (part, name, box) => {
    const e = element("button", undefined, name);
    e.type = "button";
    e.tabIndex = -1;
    e.setAttribute("aria-label", `${part.name}, ${human(part[measure])}, ${percent(part[measure], root[measure])}` +
      (part.parts.length ? ", opens" : ""));
    if (part.parts.length) e.dataset.in = "";
    put(e, box);
    shown.set(e, part);
    tiles.push(e);
    return e;
  };

  const draw = (part, box, level) => {
    for (const [child, b] of layout(gather(part, box), (p) => p[measure], box)) {
      if (level < (b.w * b.h * 6 > map.clientWidth * map.clientHeight ? 2 * levels : levels) && (level === 1 || "di".includes(child.kind)) && child.parts.length > 0 && b.w > 70 && b.h > 60) {
        const frame = element("div", undefined, "group");
        put(frame, b);
        const head = tile(child, "head", { x: b.x, y: b.y, w: b.w, h: header });
        head.append(child.name, element("span", human(child[measure])));
        map.append(frame, head);
        draw(child, { x: b.x + edge, y: b.y + header, w: b.w - 2 * edge, h: b.h - header - edge }, level + 1);
        continue;
      }
      const e = tile(child, child.hue, b);
      if (b.w > 42 && b.h > 20) e.append(element("b", child.name));
      if (b.w > 60 && b.h > 38) e.append(element("small", human(child[measure])));
      map.append(e);
    }
  };

  const show = () => {
    hide();
    map.replaceChildren();
    tiles = [];
    draw(at, { x: 0, y: 0, w: map.clientWidth, h: map.clientHeight }, 1);
    if (tiles.length > 0) tiles[0].tabIndex = 0;
    const steps = [];
    for (let p = at; p; p = p.above) steps.unshift(p);
    way.replaceChildren(...steps.flatMap((p, n) => {
      const b = element("button", p === root ? "the whole image" : p.name);
      b.type = "button";
      if (p === at) b.setAttribute("aria-current", "location");
      b.addEventListener("click", () => go(p));
      return n > 0 ? [element("i", "›"), b] : [b];
    }));
  };

  const go = (part, focus) => {
    const from = at;
    at = part;
    show();
    status.textContent = `${part === root ? "The whole image" : part.name}: ${human(part[measure])}, ${count(part.parts.length, "part")}`;
    if (focus) select(tiles.find((t) => shown.get(t) === from) || tiles[0]);
  };

  const select = (e) => {
    if (!e) return;
    for (const t of tiles) t.tabIndex = -1;
    e.tabIndex = 0;
    e.focus({ preventScroll: true });
  };

  // The card tells of a part all that is known.
  const tell = (e, x, y) => {
    const part = shown.get(e), names = chain(part), rows = [["on the medium", `${human(part.size)}, ${percent(part.size, root.size)} of the image`]];
    rows.push(["when read", human(part.bytes) + (part.kind !== "t" && part.bytes > part.size ? `, compressed to ${percent(part.size, part.bytes)}` : "")]);
    if (part.files > 1) rows.push(["holds", count(part.files, "file")]);
    const list = element("dl");
    for (const [name, value] of rows) list.append(element("dt", name), element("dd", value));
    card.replaceChildren(element("h3", part.name), element("p", path(part)), list);
    if (names.length > 1) {
      const steps = element("ol");
      for (const name of names) steps.append(element("li", name));
      card.append(steps);
    }
    card.hidden = false;
    const box = card.getBoundingClientRect();
    card.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 8)) + "px";
    card.style.top = (y + 18 + box.height < innerHeight ? y + 18 : Math.max(4, y - box.height - 10)) + "px";
  };
  const hide = () => { card.hidden = true; };
  const tileOf = (event) => event.target.closest("#map button");

  map.addEventListener("pointermove", (event) => {
    const e = tileOf(event);
    if (e) tell(e, event.clientX, event.clientY); else hide();
  });
  map.addEventListener("pointerleave", hide);
  map.addEventListener("focusin", (event) => {
    const e = tileOf(event);
    if (!e || !e.matches(":focus-visible")) return;
    const box = e.getBoundingClientRect();
    tell(e, box.left, Math.min(box.bottom, box.top + 40));
  });
  map.addEventListener("focusout", hide);
  map.addEventListener("click", (event) => {
    const e = tileOf(event);
    if (e && shown.get(e).parts.length > 0) go(shown.get(e), event.detail === 0);
  });

  // nearest is the tile that lies next in a direction.
  const nearest = (from, dx, dy) => {
    const middle = (e) => { const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; };
    const [x, y] = middle(from);
    let best = null, least = Infinity;
    for (const t of tiles) {
      const [tx, ty] = middle(t), along = (tx - x) * dx + (ty - y) * dy, across = Math.abs((tx - x) * dy) + Math.abs((ty - y) * dx);
      if (t !== from && along > 1 && along + 2 * across < least) [best, least] = [t, along + 2 * across];
    }
    return best;
  };
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  document.addEventListener("keydown", (event) => {
    const e = tileOf(event);
    if (event.key === "Escape") {
      if (at !== root) go(at.above, Boolean(e)); else hide();
    } else if (e && arrows[event.key]) {
      select(nearest(e, ...arrows[event.key]));
      event.preventDefault();
    }
  });

  measures.hidden = map.hidden = document.getElementById("help").hidden = false;
  measures.addEventListener("change", (event) => {
    measure = event.target.value;
    show();
  });
  new ResizeObserver(() => show()).observe(document.body);
  show();
})();
