// Measures when a browser first paints the overview, with nothing in its cache, and prints the milliseconds of each time as JSON:
// {first: [...], follows: [...], least: [...]}; least is the same for a page with hardly anything on it.
import { enter, follows, open, page, ui } from './browser.mjs';

const browser = await open();
const proxy = await ui();
const out = { first: [], follows: [], least: [] };
// A page that has loaded may not have painted yet.
const painted = (p) => p.evaluate(() => new Promise((resolve) => {
  new PerformanceObserver((list) => list.getEntriesByName('first-contentful-paint').forEach((entry) => resolve(entry.startTime)))
    .observe({ type: 'paint', buffered: true });
}));
try {
  const p = await page(browser);
  await enter(p, proxy.link);
  const cookies = await p.context().cookies();
  await p.context().close();
  for (let i = 0; i < 9; i++) {
    const fresh = await page(browser);
    await fresh.context().addCookies(cookies);
    const began = Date.now();
    await fresh.goto(`${proxy.base}/ui/`);
    await follows(fresh);
    out.follows.push(Date.now() - began);
    out.first.push(await painted(fresh));
    await fresh.context().close();
    const stranger = await page(browser);
    await stranger.goto(`${proxy.base}/ui/login`);
    out.least.push(await painted(stranger));
    await stranger.context().close();
  }
} finally {
  proxy.end();
  await browser.close();
}
console.log(JSON.stringify(out));
process.exit(0);
