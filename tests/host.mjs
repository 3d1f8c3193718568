// A host of a module in WebAssembly: puts arrays into its memory, calls a function, prints the results.
import { readFileSync } from "node:fs";

const [file, job] = process.argv.slice(2);
const { name, dims, arrays } = JSON.parse(readFileSync(job));
const made = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), {}).exports;
made._initialize();

const kinds = { float64: Float64Array, float32: Float32Array, int64: BigInt64Array, bool: Uint8Array };
let free = made.__heap_base.value;
const place = (bytes) => {
  const at = (free + 63) & ~63;
  free = at + bytes;
  const missing = free - made.memory.buffer.byteLength;
  if (missing > 0) made.memory.grow(Math.ceil(missing / 65536));
  return at;
};

// An array has one member; of a family each has its own place, and a table of these is given.
const put = (kind, size, values) => {
  const at = place(size * kinds[kind].BYTES_PER_ELEMENT);
  const given = kind === "int64" ? values?.map(BigInt) : values;
  if (given) new kinds[kind](made.memory.buffer, at, size).set(given);
  return at;
};
const members = arrays.map(({ kind, size, members }) => members.map((one) => put(kind, size, one)));
const at = arrays.map(({ family }, k) => {
  if (!family) return members[k][0];
  const table = place(4 * members[k].length);
  new Int32Array(made.memory.buffer, table, members[k].length).set(members[k]);
  return table;
});
const work = place(made[`${name}_work`](...dims));
const status = made[name](...dims, ...at, work);
const results = arrays.flatMap(({ kind, size, written }, k) =>
  written ? members[k].map((one) => Array.from(new kinds[kind](made.memory.buffer, one, size), Number)) : []);
console.log(JSON.stringify({ status, results }));
