// zvec for driver.mjs. Kinds: f32, int8 (codes; the modes are "" and "refined", which rescores with the vectors).
//
// A collection is written in batches and then optimised, which builds the graph; it lies on disk. Components are divided
// by the largest one of the set, since its integer codes find nothing when they are large (sift: recall 0); the order of
// distances stays.
import path from 'node:path';
import * as zvec from '@zvec/zvec';

const metrics = {l2: zvec.ZVecMetricType.L2, ip: zvec.ZVecMetricType.IP, cosine: zvec.ZVecMetricType.COSINE};
const batch = 1000;

class Searcher {
  constructor(collection, ef, refined) {
    this.collection = collection;
    this.params = {indexType: zvec.ZVecIndexType.HNSW, ef, isUsingRefiner: refined};
  }
  search(query, topk) {
    return this.collection.querySync({
      fieldName: 'vector',
      vector: query,
      topk,
      outputFields: [],
      params: this.params,
    });
  }
  rows(hits) {
    return hits.map((hit) => Number(hit.id));
  }
}

export default class Zvec {
  constructor(setting) {
    this.setting = setting;
    zvec.ZVecInitialize({
      queryThreads: 1,
      optimizeThreads: setting.threads,
      logType: zvec.ZVecLogType.FILE,
      logDir: setting.scratch,
      logLevel: zvec.ZVecLogLevel.ERROR,
    });
    let largest = 0;
    for (const x of setting.base.values) largest = Math.max(largest, Math.abs(x));
    const scale = largest > 0 ? 1 / largest : 1;
    for (const matrix of [setting.base, setting.queries]) {
      for (let i = 0; i < matrix.values.length; ++i) matrix.values[i] *= scale;
    }
    this.collections = 0;
  }

  create() {
    const {base, kind, metric, m, ef_construction, scratch} = this.setting;
    this.folder = path.join(scratch, `zvec-${++this.collections}`);
    const quantized = kind === 'int8' ? {quantizeType: zvec.ZVecQuantizeType.INT8} : {};
    const schema = new zvec.ZVecCollectionSchema({
      name: 'bench',
      vectors: {
        name: 'vector',
        dataType: zvec.ZVecDataType.VECTOR_FP32,
        dimension: base.dim,
        indexParams: {
          indexType: zvec.ZVecIndexType.HNSW,
          metricType: metrics[metric],
          m,
          efConstruction: ef_construction,
          ...quantized,
        },
      },
    });
    return zvec.ZVecCreateAndOpen(this.folder, schema);
  }

  fill(collection, rows) {
    const {base, threads} = this.setting;
    for (let begin = 0; begin < rows; begin += batch) {
      const documents = [];
      for (let row = begin; row < Math.min(begin + batch, rows); ++row) {
        documents.push({id: String(row), vectors: {vector: base.row(row)}});
      }
      for (const status of collection.insertSync(documents)) {
        if (!status.ok) throw new Error(status.message);
      }
    }
    collection.optimizeSync({concurrency: threads});
    return collection;
  }

  build() {
    this.collection = this.fill(this.create(), this.setting.base.rows);
  }

  save() {
    return this.folder;
  }

  at(ef, mode) {
    return new Searcher(this.collection, ef, mode === 'refined');
  }

  ofOnePoint() {
    return new Searcher(this.fill(this.create(), 1), 10, false);
  }
}
