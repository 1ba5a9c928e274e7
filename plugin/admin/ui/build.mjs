// Copies what the pages load from node_modules into dist, under the names that assets.go looks for.
import { copyFile, mkdir } from 'node:fs/promises';

const files = {
  'htmx.js': 'htmx.org/dist/htmx.min.js',
  'sse.js': 'htmx.org/dist/ext/hx-sse.min.js',
  'uplot.js': 'uplot/dist/uPlot.iife.min.js',
  'uplot.css': 'uplot/dist/uPlot.min.css',
};
const at = (path) => new URL(path, import.meta.url);
await mkdir(at('dist/'), { recursive: true });
for (const [to, from] of Object.entries(files)) await copyFile(at(`node_modules/${from}`), at(`dist/${to}`));
