// The legs of a step in a table, with any two of its axes as rows and columns.

/** How each step is looked at: `gallery` or `grid`, and the axes of the grid. */
const views = new Map();

function viewOf(step) {
  if (!views.has(step.name)) views.set(step.name, { mode: 'gallery', rows: null, columns: null, fixed: {} });
  return views.get(step.name);
}

/** The axes of rows and columns that are there; a step may have lost or got some since. */
function chosenAxes(view, axes) {
  const names = axes.map((axis) => axis.name);
  const isThere = (name) => name === '' || names.includes(name);
  if (view.columns === null || !isThere(view.columns)) view.columns = names[1] ?? names[0] ?? '';
  if (view.rows === null || !isThere(view.rows)) view.rows = names.length > 1 ? names[0] : '';
  if (view.rows === view.columns && view.rows !== '') view.rows = '';
  const find = (name) => axes.find((axis) => axis.name === name) ?? { name: '', values: [undefined] };
  return { rows: find(view.rows), columns: find(view.columns) };
}

/** The choice of axes; `redraw` is called when it changes. */
function axisBar(step, axes, redraw) {
  const view = viewOf(step);
  const { rows, columns } = chosenAxes(view, axes);
  const choice = (word, key, other) =>
    select(word, [['', 'none'], ...axes.map((axis) => [axis.name, axis.name])], view[key], (name) => {
      if (name !== '' && name === view[other]) view[other] = view[key];
      view[key] = name;
      redraw();
    });
  const rest = axes.filter((axis) => axis !== rows && axis !== columns);
  const fixed = rest.map((axis) => {
    const options = axis.values.map((value) => [keyOf(value), label(value)]);
    const now = view.fixed[axis.name] ?? '';
    return select(axis.name, [['', 'all'], ...options], now, (value) => {
      view.fixed[axis.name] = value;
      redraw();
    });
  });
  return [choice('rows', 'rows', 'columns'), choice('columns', 'columns', 'rows'), fixed];
}

function select(word, options, now, choose) {
  const box = el('select', { on: { change: () => choose(box.value) } });
  append(box, options.map(([value, text]) => el('option', { value, selected: value === now }, text)));
  return el('label', { class: 'choice', 'data-choice': word }, word, box);
}

/** The table itself, over those legs that are shown. */
function gridOf(step, axes, legs) {
  const view = viewOf(step);
  const { rows, columns } = chosenAxes(view, axes);
  const isFixed = (leg) => Object.entries(view.fixed).every(([axis, value]) => {
    const chosen = axis === rows.name || axis === columns.name || value === '';
    return chosen || !(axis in leg.leg) || keyOf(leg.leg[axis]) === value;
  });
  const cells = new Map();
  const used = new Set();
  for (const leg of legs.filter(isFixed)) {
    const [row, column] = [leg.leg[rows.name], leg.leg[columns.name]];
    const cell = cellKey(row, column);
    if (!cells.has(cell)) cells.set(cell, []);
    cells.get(cell).push(leg);
    used.add(`row ${keyOf(row)}`).add(`column ${keyOf(column)}`);
  }
  const rowValues = rows.values.filter((value) => used.has(`row ${keyOf(value)}`));
  const columnValues = columns.values.filter((value) => used.has(`column ${keyOf(value)}`));
  const first = rows.name && el('td', {}, el('small', {}, [`${rows.name} ↓`, columns.name && ` ${columns.name} →`]));
  const top = columnValues.map((value) => el('th', { scope: 'col' }, heading(value)));
  const isLong = legs.length > FEW;
  const line = (row) => {
    const legsByCell = columnValues.map((column) => cells.get(cellKey(row, column)) ?? []);
    const inner = legsByCell.map((found) => el('td', { 'data-some': found.length > 0 }));
    return fillLine(el('tr', {}, rows.name && el('th', { scope: 'row' }, heading(row)), inner), legsByCell, isLong);
  };
  const name = [rows.name, columns.name].filter(Boolean).join(' and ');
  return el(
    'table',
    { class: 'grid' },
    el('caption', { class: 'unseen' }, `${step.name}${name && ` by ${name}`}`),
    columns.name && el('thead', {}, el('tr', {}, first, top)),
    el('tbody', {}, rowValues.map(line)),
  );
}

function cellKey(row, column) {
  return `${keyOf(row)}\n${keyOf(column)}`;
}

/** The head of a row or column: a value that is a picture is shown. */
function heading(value) {
  const file = typeof value === 'string' && store.state.files[value];
  if (file && kindOf(file.media_type) === 'image') return picture(fileOf({ digest: value, ...file }), 'a picture');
  return el('span', {}, value === undefined ? '' : label(value));
}
