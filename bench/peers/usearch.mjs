// usearch for driver.mjs. Kinds: f32, f16, bf16, i8 (how vectors are stored; they are given as float32).
//
// The binding sets the width of the beam when an index is made. So the index is saved once, and loaded with another
// width when a turn asks for one, outside of the clock.
import path from 'node:path';
import usearch from 'usearch';

const metrics = {l2: 'l2sq', ip: 'ip', cosine: 'cos'};

class Searcher {
  constructor(index) {
    this.index = index;
  }
  search(query, k) {
    return this.index.search(query, k, 1);
  }
  batch(queries, k) {
    return this.index.search(queries, k, 1);
  }
  rows(matches) {
    return Array.from(matches.keys, Number);
  }
}

export default class Usearch {
  constructor(setting) {
    this.setting = setting;
    this.file = path.join(setting.scratch, 'usearch.index');
    this.index = null;
    this.ef = 0;
  }

  make(ef) {
    const {base, kind, metric, m, ef_construction} = this.setting;
    return new usearch.Index({
      dimensions: base.dim,
      metric: metrics[metric],
      quantization: kind,
      connectivity: m,
      expansion_add: ef_construction,
      expansion_search: ef,
      multi: false,
    });
  }

  build() {
    const {base, threads} = this.setting;
    this.ef = 64;
    this.index = this.make(this.ef);
    const keys = BigUint64Array.from({length: base.rows}, (_, row) => BigInt(row));
    this.index.add(keys, base.values, threads);
  }

  save() {
    this.index.save(this.file);
    return this.file;
  }

  at(ef) {
    if (ef !== this.ef) {
      this.index = this.make(ef);
      this.index.load(this.file);
      this.ef = ef;
    }
    return new Searcher(this.index);
  }

  ofOnePoint() {
    const index = this.make(64);
    index.add(0n, this.setting.base.row(0).slice());
    return new Searcher(index);
  }
}
