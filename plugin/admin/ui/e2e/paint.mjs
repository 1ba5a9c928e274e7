// Measures when a browser first paints the overview, with nothing in its cache, and prints the milliseconds of each time as JSON:
// {first: [...], follows: [...]}.
import { enter, follows, open, page, ui } from './browser.mjs';

const browser = await open();
const proxy = await ui();
const out = { first: [], follows: [] };
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
    out.first.push(await fresh.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
    await fresh.context().close();
  }
} finally {
  proxy.end();
  await browser.close();
}
console.log(JSON.stringify(out));
process.exit(0);
