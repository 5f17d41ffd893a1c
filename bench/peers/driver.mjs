// Builds and searches one index of a library that is reached through Node, on command.
//
// holdfast_bench (bench/node_peer.cc) starts one process per index and keeps it, so that its turns can alternate with
// those of everybody else. A command is one line of JSON on standard input; the answer is one line on standard output
// that begins with "@ ". Everything else on standard output is the library's own talk.
//
//   {"op": "open", "library", "kind", "base", "queries": files in the format of .fbin, "metric": "l2" | "ip" | "cosine",
//    "m", "ef_construction", "threads", "k", "scratch": a folder}
//   {"op": "memory"}   -> {"anonymous", "file"}: resident bytes after a garbage collection
//   {"op": "build"}    -> {"seconds", "processor_s", "disk_bytes"}
//   {"op": "turn", "ef", "mode", "seconds"} -> {"found", "latency_us", "seconds", "processor_s", "batch_qps"}
//   {"op": "overhead"} -> {"us"}: median time of a search in an index that holds one point
//
// A failure is answered with {"error": "..."}.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

const libraries = {usearch: './usearch.mjs', zvec: './zvec.mjs'};
const overheadCalls = 2000;

let setting = null;
let library = null;

/** Rows of float32, read in place: garbage left behind would blur how much memory an index takes. */
function readMatrix(file) {
  const opened = fs.openSync(file);
  const header = new Uint32Array(2);
  fs.readSync(opened, header);
  const [rows, dim] = header;
  const values = new Float32Array(rows * dim);
  const bytes = new Uint8Array(values.buffer);
  for (let done = 0; done < bytes.length; ) {
    const got = fs.readSync(opened, bytes, done, Math.min(bytes.length - done, 1 << 24));
    if (got === 0) throw new Error(`${file} is too short`);
    done += got;
  }
  fs.closeSync(opened);
  const row = (i) => values.subarray(i * dim, (i + 1) * dim);
  return {rows, dim, values, row};
}

function processorSeconds(since) {
  const used = process.cpuUsage(since);
  return (used.user + used.system) / 1e6;
}

function bytesBelow(place) {
  const about = fs.statSync(place);
  if (!about.isDirectory()) return about.size;
  return fs.readdirSync(place).reduce((sum, name) => sum + bytesBelow(path.join(place, name)), 0);
}

const commands = {
  async open(command) {
    const module = await import(libraries[command.library]);
    setting = {...command, base: readMatrix(command.base), queries: readMatrix(command.queries)};
    library = new module.default(setting);
    return {};
  },

  memory() {
    if (globalThis.gc) globalThis.gc();
    const status = fs.readFileSync('/proc/self/status', 'utf8');
    const bytes = (key) => Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
    return {anonymous: bytes('RssAnon'), file: bytes('RssFile') + bytes('RssShmem')};
  },

  build() {
    const processor = process.cpuUsage();
    const begin = performance.now();
    library.build();
    const seconds = (performance.now() - begin) / 1e3;
    const processor_s = processorSeconds(processor);
    return {seconds, processor_s, disk_bytes: bytesBelow(library.save())};
  },

  turn({ef, mode, seconds: least}) {
    const {queries, k} = setting;
    const index = library.at(ef, mode);
    const results = new Array(queries.rows);
    const latency_us = [];
    const processor = process.cpuUsage();
    const begin = performance.now();
    let seconds = 0;
    while (latency_us.length === 0 || seconds < least) {
      for (let q = 0; q < queries.rows; ++q) {
        results[q] = index.search(queries.row(q), k);
        const now = (performance.now() - begin) / 1e3;
        latency_us.push((now - seconds) * 1e6);
        seconds = now;
      }
    }
    const processor_s = processorSeconds(processor);
    let batch_qps = 0;
    if (index.batch) {
      const start = performance.now();
      index.batch(queries.values, k);
      batch_qps = (queries.rows * 1e3) / (performance.now() - start);
    }
    const found = [];
    for (const result of results) {  // outside of the clock
      const rows = index.rows(result);
      for (let i = 0; i < k; ++i) found.push(i < rows.length ? rows[i] : 0xffffffff);
    }
    return {found, latency_us, seconds, processor_s, batch_qps};
  },

  overhead() {
    const {queries} = setting;
    const index = library.ofOnePoint();
    const times = [];
    for (let i = 0; i < overheadCalls; ++i) {
      const begin = performance.now();
      index.search(queries.row(i % queries.rows), 1);
      times.push((performance.now() - begin) * 1e3);
    }
    times.sort((a, b) => a - b);
    return {us: times[times.length / 2]};
  },
};

for await (const line of readline.createInterface({input: process.stdin})) {
  let answer;
  try {
    const command = JSON.parse(line);
    answer = await commands[command.op](command);
  } catch (error) {
    answer = {error: String(error?.message ?? error)};
  }
  fs.writeSync(1, `\n@ ${JSON.stringify(answer)}\n`);
}
