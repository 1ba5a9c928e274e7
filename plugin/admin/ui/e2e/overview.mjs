// Breaks an AZ of the demo and watches the page, which is never loaded anew.
import { ask, check, enter, env, fairlead, follows, open, page, shoot, ui, until, violations } from './browser.mjs';

const browser = await open();
const proxy = await ui();
try {
  const stranger = await page(browser);
  await stranger.goto(`${proxy.base}/ui/`);
  check(new URL(stranger.url()).pathname === '/ui/login', 'who is not logged in gets the page for logins');
  check((await stranger.request.get(`${proxy.base}/api/v1/status`)).status() === 404, 'the proxy hands on the dashboard alone');

  const p = await page(browser);
  await enter(p, proxy.link);
  await p.evaluate(() => { globalThis.sameDocument = true; });
  const cell = p.locator('[data-az="eu-a"]');
  check((await cell.locator('.mark').innerText()).includes('up'), 'eu-a is up');
  check((await p.locator('#headline').innerText()).includes('All is well'), 'the headline is calm');
  check((await violations(p)).length === 0, 'axe finds nothing on the calm page');

  await ask(50);
  await fairlead('demo', 'break', 'az', 'eu-a');
  await until('the grid says down', async () => (await cell.locator('.mark').innerText()).includes('down'));
  await until('the headline names what is down', async () => (await p.locator('#headline').innerText()).includes('web-eu/web-eu-a down'));
  const count = p.locator('[data-service="www.demo.fairlead.test"] .forgets .count');
  const first = await until('the countdown runs', async () => (await count.count()) && (await count.innerText()).match(/in 00:(\d\d)/)?.[1]);
  await until('it counts down', async () => { const now = (await count.innerText()).match(/in 00:(\d\d)/)?.[1]; return now && Number(now) < Number(first); }, 5000);
  check(!(await p.locator('[data-service="www.demo.fairlead.test"] .legend').innerText()).includes('eu-a'), 'clients get eu-a no more');
  await shoot(p, 'overview-down');
  const found = await violations(p);
  check(found.length === 0, `axe finds nothing on the page of an incident: ${found}`);
  await until('the bar says that every node has said so', async () => (await p.locator('[data-service="www.demo.fairlead.test"] .forgets.final').count()) === 1);

  await fairlead('demo', 'heal', 'az', 'eu-a');
  await until('eu-a is up again', async () => (await cell.locator('.mark').innerText()).includes('up'));
  await until('eu-a is answered again', async () => (await p.locator('[data-service="www.demo.fairlead.test"] .legend').innerText()).includes('eu-a'));
  check(await p.evaluate(() => globalThis.sameDocument === true), 'the page was not loaded anew');
  await shoot(p, 'overview');

  await p.keyboard.press('?');
  check(await p.locator('#help').isVisible(), '? shows the keys');
  await p.keyboard.press('Escape');
  await p.keyboard.press('j');
  check(await p.evaluate(() => document.activeElement.classList.contains('row')), 'j moves to a row');
  await p.keyboard.press('/');
  check(await p.evaluate(() => document.activeElement.id === 'q'), '/ leads to the search');

  const plain = await page(browser, { javaScriptEnabled: false });
  await plain.context().addCookies(await p.context().cookies());
  await plain.goto(`${proxy.base}/ui/`);
  check((await plain.locator('#headline').innerText()).length > 10 && (await plain.locator('.service').count()) === 2, 'the page says it all without JavaScript');

  check(p.faults.length === 0, `no violation of the policy, no error of the page: ${p.faults}`);
} finally {
  proxy.end();
  await browser.close();
}
process.exit(0);
