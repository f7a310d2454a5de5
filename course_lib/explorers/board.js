// The front-end of all explorers: it shows the page that Python writes, and tells Python what was clicked, typed, drawn or pressed.

const KEYS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Enter", " ", "Delete", "Backspace"]);
const PATIENCE = 5000; // milliseconds without an answer before the reader is told

function isTextField(element) {
  return element instanceof HTMLInputElement && !["range", "checkbox", "radio"].includes(element.type);
}

// Make `old` like `now` and keep every element that stays: the focus, a slider that is being dragged, and a text that is being typed.
function update(old, now, busy) {
  for (const { name } of [...old.attributes]) if (name !== "open" && !now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old instanceof HTMLInputElement) {
    if (busy.has(old)) return;
    const value = now.getAttribute("value") ?? "";
    if (old.type !== "checkbox" && old.value !== value) old.value = value;
    old.checked = now.hasAttribute("checked");
    return;
  }
  const [were, come] = [[...old.childNodes], [...now.childNodes]];
  come.forEach((child, place) => {
    const was = were[place];
    if (!was) old.append(child);
    else if (was.nodeName !== child.nodeName) was.replaceWith(child);
    else if (was.nodeType === Node.ELEMENT_NODE) update(was, child, busy);
    else if (was.data !== child.data) was.data = child.data;
  });
  were.slice(come.length).forEach((child) => child.remove());
  if (old instanceof HTMLSelectElement) old.value = [...old.options].find((option) => option.hasAttribute("selected"))?.value ?? old.value;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "explorer";
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", `Explorer: ${model.get("title")}`);
  root.dataset.lmSuppressShortcuts = "true"; // keys are for the explorer, not for the notebook
  const lost = document.createElement("p");
  lost.setAttribute("role", "status");
  const page = document.createElement("div");
  root.append(page, lost);
  el.append(root);

  const busy = new Set(); // fields that are being typed in, sliders that are being dragged
  const stops = new WeakMap(); // for each grid, the cell that Tab goes to
  const queue = [];
  let inFlight = false, patience = null, timer = null, every = null;

  function send(name, value, merge = null) {
    const last = queue.at(-1);
    if (merge && last?.name === name) last.value = merge(last.value, value);
    else queue.push({ name, value });
    pump();
  }

  function pump() {
    if (inFlight || !queue.length) return;
    const { name, value } = queue.shift();
    inFlight = true;
    patience = setTimeout(() => {
      lost.className = "explorer-lost";
      lost.textContent = "Python does not answer: it is busy with another cell, or it was restarted. In that case run this cell again.";
    }, PATIENCE);
    model.send({ do: name, value: typeof value === "string" ? value : JSON.stringify(value) });
  }

  function answered() {
    clearTimeout(patience);
    if (lost.textContent) lost.textContent = lost.className = "";
    inFlight = false;
    pump();
  }

  function draw() {
    const template = document.createElement("template");
    template.innerHTML = `<div>${model.get("page")}</div>`;
    update(page, template.content.firstChild, busy);
    // On each of them: JupyterLab looks for it from the focus upwards, and no further than to what a shortcut is for, which may be the focus.
    page.querySelectorAll("button, input, select, [tabindex]").forEach((element) => (element.dataset.lmSuppressShortcuts = "true"));
    page.querySelectorAll("[data-grid]").forEach(oneStop);
    play();
  }

  // What plays calls for its next step by itself; it is then not read out.
  function play() {
    const player = page.querySelector("[data-every]");
    const pace = player ? player.dataset.every : null;
    page.querySelectorAll("[role=status]").forEach((line) => line.setAttribute("aria-live", pace ? "off" : "polite"));
    if (pace === every) return;
    every = pace;
    clearInterval(timer);
    if (every) timer = setInterval(() => inFlight || send(page.querySelector("[data-every]").dataset.play, ""), Number(every));
  }

  // Tab reaches a grid once; arrow keys move inside it.
  function gridCells(grid) {
    return [...grid.querySelectorAll("input, button")];
  }
  function oneStop(grid) {
    const cells = gridCells(grid);
    const stop = cells.includes(stops.get(grid)) ? stops.get(grid) : cells[0];
    cells.forEach((cell) => (cell.tabIndex = cell === stop ? 0 : -1));
  }
  function move(cell, key) {
    const [rows, here] = [[...cell.closest("table").rows], cell.closest("td")];
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
    const target = rows[here.parentElement.rowIndex + down]?.cells[here.cellIndex + right]?.querySelector("input, button");
    target?.focus();
    if (target && isTextField(target)) target.select();
  }

  function changed(element) {
    const at = element.dataset.at;
    const value = element.type === "checkbox" ? (element.checked ? "on" : "off") : element.value;
    send(element.dataset.do, at ? `${at},${value}` : value, element.type === "range" ? (_before, now) => now : null);
  }

  root.addEventListener("click", (event) => {
    const target = event.target.closest("button[data-do]");
    if (target && target.type !== "submit") send(target.dataset.do, target.value);
  });
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    const field = event.target.querySelector("input");
    busy.delete(field);
    if (event.target.dataset.do) send(event.target.dataset.do, field.value);
  });
  root.addEventListener("input", (event) => {
    if (isTextField(event.target) || event.target.type === "range") busy.add(event.target);
    if (event.target.type === "range" && event.target.dataset.do) changed(event.target);
  });
  function commit(element) {
    busy.delete(element);
    const known = isTextField(element) && element.value === element.getAttribute("value"); // Enter was pressed before the field was left
    if (element.dataset.do && !known) changed(element);
  }
  root.addEventListener("change", (event) => commit(event.target));
  root.addEventListener("focusin", (event) => {
    const grid = event.target.closest("[data-grid]");
    if (!grid) return;
    stops.set(grid, event.target);
    oneStop(grid);
    if (isTextField(event.target)) event.target.select();
  });
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const listener = event.target.dataset?.keys;
    if (listener && KEYS.has(event.key)) {
      event.preventDefault();
      send(listener, event.key);
    } else if (event.key === "Enter" && isTextField(event.target)) {
      event.preventDefault();
      if (event.target.form) event.target.form.requestSubmit();
      else commit(event.target);
    } else if (event.key.startsWith("Arrow") && event.target.closest("[data-grid]")) {
      event.preventDefault();
      move(event.target, event.key);
    }
  });

  // Drawing: the places that a pointer went over, in cells.
  let painting = null;
  function place(event, surface) {
    const box = surface.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * surface.dataset.rows, ((event.clientX - box.left) / box.width) * surface.dataset.columns];
  }
  function paint(events, start) {
    const points = events.map((event) => place(event, painting));
    const value = { points, start };
    send(painting.dataset.paint, value, (before, now) => (now.start ? now : { points: [...before.points, ...now.points], start: before.start }));
  }
  root.addEventListener("pointerdown", (event) => {
    const surface = event.target.closest("[data-paint]");
    if (!surface || event.button) return;
    event.preventDefault();
    painting = surface;
    if (surface.tabIndex >= 0) surface.focus({ preventScroll: true });
    root.setPointerCapture(event.pointerId);
    paint([event], true);
  });
  root.addEventListener("pointermove", (event) => {
    const all = event.getCoalescedEvents?.() ?? [];
    if (painting) paint(all.length ? all : [event], false);
  });
  for (const name of ["pointerup", "pointercancel"]) root.addEventListener(name, () => (painting = null));

  model.on("change:page", draw);
  model.on("change:answered", answered);
  draw();
  return () => {
    clearInterval(timer);
    clearTimeout(patience);
    model.off("change:page", draw);
    model.off("change:answered", answered);
  };
}

export default { render };
