const byId = (id) => document.getElementById(id);
const facts = JSON.parse(byId("facts").textContent);
const PAIRS = 4;
const UNSEEN = "another one";
let scale = 2; // of the bars: the largest effect so far

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// A file inside the page: its bytes, which are compressed and written as text.
async function unpack(id) {
  const packed = Uint8Array.from(atob(byId(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function load() {
  const script = new Blob([await unpack("runtime")], { type: "text/javascript" });
  const ort = await import(URL.createObjectURL(script));
  ort.env.wasm.numThreads = 1; // several need headers that only a server can send
  ort.env.wasm.wasmBinary = await unpack("wasm");
  return { ort, session: await ort.InferenceSession.create(await unpack("model")) };
}

function listFields() {
  for (const field of facts.fields) {
    const control = field.values ? choices(field) : slider(field);
    byId("fields").append(...control);
  }
}

function choices(field) {
  const label = make("label", field.name);
  const select = make("select");
  select.id = `field-${field.name}`;
  for (const value of field.values) {
    const option = make("option", value || "unknown");
    option.value = value;
    select.append(option);
  }
  select.append(make("option", UNSEEN));
  label.append(select);
  return [label];
}

function slider(field) {
  const label = make("label");
  const shown = make("output");
  const input = make("input");
  Object.assign(input, { type: "range", id: `field-${field.name}`, step: 0.1 });
  [input.min, input.max] = [Math.floor(field.range[0]), Math.ceil(field.range[1])];
  input.value = (field.range[0] + field.range[1]) / 4;
  label.append(make("span", field.name), input, shown);
  const missing = make("input");
  Object.assign(missing, { type: "checkbox", id: `missing-${field.name}` });
  const show = () => {
    input.disabled = missing.checked;
    shown.textContent = missing.checked ? "unknown" : Number(input.value).toFixed(1);
  };
  input.addEventListener("input", show);
  missing.addEventListener("change", show);
  show();
  const row = make("label", undefined, "row");
  row.append(missing, `${field.name} unknown`);
  return [label, row];
}

function valueOf(field) {
  const text = byId(`field-${field.name}`).value;
  if (field.values) return text;
  return byId(`missing-${field.name}`).checked ? NaN : Number(text);
}

function labelOf(name) {
  const field = facts.fields.find((one) => one.name === name);
  const value = valueOf(field);
  if (field.values) return `${name} = ${value || "unknown"}`;
  return Number.isNaN(value) ? `${name} unknown` : `${name} = ${value.toFixed(1)}`;
}

// What the model says of the record: arrays by the names of its outputs.
async function predict({ ort, session }) {
  const inputs = {};
  for (const field of facts.fields) {
    const value = valueOf(field);
    inputs[field.name] = field.values
      ? new ort.Tensor("string", [value], [1])
      : new ort.Tensor("float64", Float64Array.of(value), [1]);
  }
  const outputs = await session.run(inputs);
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, [...tensor.data]]));
}

function show(found) {
  showProbability(found.probability[0]);
  const names = facts.fields.map((field) => field.name);
  const effects = names.map((name, i) => [labelOf(name), found.effects[i]]);
  const pairs = facts.pairs.map((pair, i) => [pair.map(labelOf).join(" and "), found.pair_effects[i]]);
  const largest = (one, other) => Math.abs(other[1]) - Math.abs(one[1]);
  scale = Math.max(scale, ...[...effects, ...pairs].map(([, amount]) => Math.abs(amount)));
  showBars("effects", effects);
  showBars("pairs", pairs.sort(largest).slice(0, PAIRS));
  showAttention(names, found);
}

// On a scale of log-odds from 1% to 99%, on which rare clicks are as far apart as frequent ones.
function place(p) {
  const odds = Math.log(Math.min(Math.max(p, 0.01), 0.99) / (1 - Math.min(Math.max(p, 0.01), 0.99)));
  return 50 + (50 * odds) / Math.log(99);
}

function showProbability(p) {
  byId("probability").textContent = `${(100 * p).toFixed(1)}%`;
  const [base, end] = [place(facts.base_rate), place(p)];
  byId("base").style.left = `${base}%`;
  setBar(byId("from-base"), base, end);
}

function setBar(bar, from, to) {
  bar.className = to < from ? "lowers" : "raises";
  bar.style.left = `${Math.min(from, to)}%`;
  bar.style.width = `${Math.abs(to - from)}%`;
}

// Bars stay where they are and change their length, so that one sees them move.
function showBars(id, rows) {
  const list = byId(id);
  rows.forEach(([name, amount], i) => {
    if (!list.children[i]) list.append(emptyBar());
    const [title, track, number] = list.children[i].children;
    title.textContent = name;
    number.textContent = (amount < 0 ? "−" : "+") + Math.abs(amount).toFixed(2);
    setBar(track.firstChild, 50, 50 + (50 * amount) / scale);
  });
}

function emptyBar() {
  const item = make("li");
  const track = make("span", undefined, "track");
  const zero = make("i", undefined, "zero");
  zero.style.left = "50%";
  track.append(make("i"), zero);
  item.append(make("span"), track, make("span", undefined, "amount"));
  return item;
}

function showAttention(names, { order_weights: orders, field_weights: weights }) {
  const table = byId("attention");
  if (!table.rows.length) {
    const head = table.createTHead().insertRow();
    for (const text of ["field", ...orders]) head.append(make("th", text === "field" ? text : ""));
    const body = table.createTBody();
    for (const name of names) {
      const row = body.insertRow();
      row.append(make("th", name));
      orders.forEach(() => row.insertCell());
    }
    table.querySelectorAll("thead th").forEach((cell) => (cell.scope = "col"));
    table.querySelectorAll("tbody th").forEach((cell) => (cell.scope = "row"));
  }
  const heaviest = Math.max(...orders);
  orders.forEach((weight, order) => {
    table.tHead.rows[0].cells[order + 1].textContent = `order ${order + 1} (${weight.toFixed(2)})`;
    names.forEach((_, j) => {
      const cell = table.tBodies[0].rows[j].cells[order + 1];
      const alpha = weights[order * names.length + j];
      cell.textContent = alpha.toFixed(2);
      cell.style.backgroundColor = `rgba(var(--blue), ${0.6 * alpha * (weight / heaviest)})`;
    });
  });
}

listFields();
const base = (100 * facts.base_rate).toFixed(1);
byId("about-base").textContent = `The bar begins at the log’s share of clicks, ${base}%, on a scale of log-odds.`;
byId("truth").textContent = `${facts.truth} The model’s AUC on test records is ${facts.auc.toFixed(3)}.`;
const engine = await load().catch((error) => {
  byId("probability").textContent = `cannot load: ${error.message}`;
  throw error;
});
let last = Promise.resolve();
// One after the other, and each with the values of its time.
const update = () => (last = last.then(async () => show(await predict(engine))));
byId("record").addEventListener("input", update);
byId("planted").addEventListener("click", () => {
  byId("field-app").value = "games";
  byId("field-weekday").value = "Sun";
  update();
});
update();
