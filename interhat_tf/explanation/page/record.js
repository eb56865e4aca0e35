const { field_names: fields, records } = JSON.parse(byId("data").textContent);
const LARGEST = 12;
const LARGEST_PAIRS = 6;

// A field and its value; one of the two if they agree.
function label(record, field) {
  const value = record.values[field];
  if (value === "(missing)") return `${field} unknown`;
  return value === field || value === `not ${field}` ? value : `${field} = ${value}`;
}

// What answers "which fields made this prediction" comes first, the rest is folded.
function detail(record) {
  const panel = make("div", undefined, "detail");
  if (record.effects) {
    panel.append(
      make("h3", "Effects: how the logit changes if a field takes other records’ values"),
      make("p", "Trust these for which fields made this prediction.", "soft"),
      effects(record),
    );
  }
  if (record.interactions?.length) {
    panel.append(
      make("h3", "Pairs: what two values do together that neither does alone"),
      make("p", "Trust these for which fields decide together.", "soft"),
      pairs(record),
    );
  }
  panel.append(
    folded(
      "Contributions: the sum that the logit is",
      "They add up exactly, but of fields that decide together they may name one. Where " +
        "they and effects disagree, trust effects.",
      waterfall(record),
      !record.effects,
    ),
    folded(
      "Attention weights: what the model looked at",
      "The fuller a cell, the heavier it is, by its order’s weight as well. Weights have no sign, " +
        "and the row of an order rarely names that order’s fields: they are not why.",
      heatMap(record),
      false,
    ),
  );
  return panel;
}

function folded(title, about, content, open) {
  const part = make("details");
  part.open = open;
  part.append(make("summary", title), make("p", about, "soft"), content);
  return part;
}

function effects(record) {
  const steps = fields.map((field, j) => [label(record, field), 0, record.effects[j]]);
  steps.sort((a, b) => Math.abs(b[2]) - Math.abs(a[2]));
  return bars(steps.slice(0, LARGEST));
}

function pairs(record) {
  const largest = record.interactions.slice(0, LARGEST_PAIRS);
  const name = (pair) => pair.fields.map((field) => label(record, field)).join(" and ");
  return bars(largest.map((pair) => [name(pair), 0, pair.effect]));
}

function waterfall(record) {
  const totals = fields.map((field, j) => [
    label(record, field),
    record.contributions.reduce((sum, row) => sum + row[j], 0),
  ]);
  totals.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const rest = totals.splice(LARGEST);
  if (rest.length) {
    totals.push([`${rest.length} other fields`, rest.reduce((sum, [, x]) => sum + x, 0)]);
  }
  let end = record.bias;
  const steps = [["bias", 0, record.bias, "total"]];
  for (const [name, amount] of totals) steps.push([name, end, (end += amount)]);
  steps.push(["logit", 0, record.logit, "total"]);
  return bars(steps);
}

// A row for each field, so that names have room on a phone, and a column for each order.
function heatMap(record) {
  const table = make("table");
  table.setAttribute("role", "grid");
  table.setAttribute("aria-label", "Attention weights; arrow keys move");
  const head = table.createTHead().insertRow();
  const column = (text) => {
    const cell = make("th", text);
    cell.scope = "col";
    head.append(cell);
  };
  column("field");
  record.order_weights.forEach((weight, i) => column(`order ${i + 1} (${weight.toFixed(2)})`));
  const heaviest = Math.max(...record.order_weights);
  const body = table.createTBody();
  fields.forEach((field, j) => {
    const row = body.insertRow();
    const name = make("th", label(record, field));
    name.scope = "row";
    row.append(name);
    record.field_weights.forEach((weights, order) => {
      const cell = row.insertCell();
      cell.textContent = weights[j].toFixed(2);
      const fill = 0.6 * weights[j] * (record.order_weights[order] / heaviest);
      cell.style.background = `rgba(var(--blue), ${fill.toFixed(3)})`;
      tell(cell, `${label(record, field)}\norder ${order + 1}: weight ` +
        `${weights[j].toFixed(3)}\ncontribution ${signed(record.contributions[order][j])}`);
    });
  });
  walkWithArrows(body);
  return table;
}

function tell(cell, words) {
  cell.setAttribute("aria-label", words);
  cell.addEventListener("pointerenter", (event) => show(words, event.clientX, event.clientY));
  cell.addEventListener("focus", () => {
    const box = cell.getBoundingClientRect();
    show(words, box.left, box.bottom);
  });
  cell.addEventListener("pointerleave", hide);
  cell.addEventListener("blur", hide);
}

// One stop of the tab key for a whole table: within it the arrow keys move.
function walkWithArrows(body) {
  const cells = [...body.rows].map((row) => [...row.querySelectorAll("td")]);
  cells.flat().forEach((cell, i) => (cell.tabIndex = i ? -1 : 0));
  body.addEventListener("keydown", (event) => {
    const row = cells.findIndex((of_row) => of_row.includes(event.target));
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (row < 0 || !step[event.key]) return;
    const [down, right] = step[event.key];
    const next = cells[row + down]?.[cells[row].indexOf(event.target) + right];
    event.preventDefault();
    if (!next) return;
    [event.target.tabIndex, next.tabIndex] = [-1, 0];
    next.focus();
  });
}

function show(words, x, y) {
  const hover = byId("hover");
  hover.textContent = words;
  hover.hidden = false;
  hover.style.left = `${Math.min(x + 12, innerWidth - hover.offsetWidth - 4)}px`;
  hover.style.top = `${Math.min(y + 12, innerHeight - hover.offsetHeight - 4)}px`;
}

function hide() {
  byId("hover").hidden = true;
}
