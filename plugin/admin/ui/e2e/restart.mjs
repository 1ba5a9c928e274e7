// Leaves a page open while the node is started anew: it says since when it is stale, and goes on by itself.
import { check, enter, open, page, ui, until } from './browser.mjs';

const browser = await open();
const proxy = await ui();
try {
  const p = await page(browser);
  await enter(p, proxy.link);
  await p.evaluate(() => { globalThis.sameDocument = true; });
  console.log('stop now');
  await until('the page says since when it is stale', async () => (await p.locator('#stale').isVisible()) && (await p.locator('#stale').innerText()).startsWith('Stale since'));
  console.log('start now');
  await until('it goes on by itself', async () => (await p.locator('#stale').isHidden()) && (await p.locator('.pulse.on').count()) === 1);
  check(new URL(p.url()).pathname === '/ui/', 'the login has outlived the restart');
  check(await p.evaluate(() => globalThis.sameDocument === true), 'the page was not loaded anew');
  check(p.faults.length === 0, `no violation of the policy, no error of the page: ${p.faults}`);
} finally {
  proxy.end();
  await browser.close();
}
process.exit(0);
