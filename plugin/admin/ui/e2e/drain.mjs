// Drains an AZ with the wizard to the certificate, ends it, and looks at all that as a viewer.
import { ask, check, enter, open, page, shoot, ui, until, violations } from './browser.mjs';

const browser = await open();
const proxy = await ui();
const reading = await ui('--role', 'viewer');
try {
  const p = await page(browser);
  await enter(p, proxy.link);
  const clean = async (what) => {
    const found = await violations(p);
    check(found.length === 0, `axe finds nothing on ${what}: ${found}`);
  };
  await p.click('[data-az="eu-b"] a.button');
  await p.fill('#reason', 'power work, CHG-1');
  await p.locator('input[name=for][value="900"]').focus();
  await p.keyboard.press('Space');
  await clean('the form of the wizard');
  await p.click('text=Preview');
  const preview = await p.locator('.preview').innerText();
  check(preview.includes('60 % moves') && preview.includes('Honest caches may hold it for up to'), 'the preview says what moves and when caches forget');
  check(await p.locator('#drain').isDisabled(), 'an AZ is not drained before its name is typed');
  await shoot(p, 'wizard');
  await clean('the preview');
  await p.fill('#typed', 'eu-b');
  await ask(50);
  await p.click('#drain');
  await p.waitForURL(/\/ui\/drains\/n1-/);
  const order = p.url();
  await p.waitForSelector('.verdict.known .count');
  check(!(await p.locator('#live').innerText()).includes('Safe at'), 'nothing is called safe while caches may hold it');
  await clean('a drain that caches still hold');
  await p.waitForSelector('#certificate', { timeout: 60000 });
  check((await p.locator('.verdict.final').innerText()).includes('Safe at'), 'the page says safe at once each node has said so');
  const response = await p.request.get(new URL(await p.getAttribute('#certificate', 'href'), p.url()).href);
  const envelope = await response.json();
  const certificate = JSON.parse(Buffer.from(envelope.payload, 'base64').toString());
  check(envelope.signatures.length === 1 && certificate.endpoints.join() === 'web-eu/web-eu-b', 'the certificate is signed, and is about what was drained');
  await shoot(p, 'drain');
  await p.click('text=All of the incident');
  await p.waitForSelector('.steps');
  await clean('the incident');
  await shoot(p, 'incident');

  const v = await page(browser);
  await enter(v, reading.link);
  await v.goto(order.replace(proxy.base, reading.base));
  check((await v.locator('main button, main .button:not(#certificate)').count()) === 0, 'a viewer sees no buttons on a drain');
  await v.goto(`${reading.base}/ui/`);
  check((await v.locator('main .button').count()) === 0, 'nor on the overview');
  const path = new URL(order).pathname;
  for (const [to, form] of [[`${path}/end`, {}], [`${path}/extend`, { for: '3600' }], ['/ui/drains', { kind: 'az', name: 'eu-a', for: '900', reason: 'x', typed: 'eu-a' }]]) {
    const r = await v.request.post(reading.base + to, { form, maxRedirects: 0 });
    check(r.status() === 403, `POST ${to.replace(path, '/ui/drains/ID')} by a viewer is 403`);
  }
  const forged = await v.request.post(`${reading.base}/ui/logout`, { headers: { Origin: 'https://elsewhere.example.org', 'Sec-Fetch-Site': 'cross-site' }, maxRedirects: 0 });
  check(forged.status() === 403, 'a page of another origin makes no orders');

  await p.goto(order);
  await p.click('button:has-text("1 h")');
  await until('the end has moved', async () => /in (59|1:00):/.test(await p.locator('.headline').innerText()));
  await p.click('text=End it now');
  await p.click('text=Click again to end it');
  await p.waitForURL(/\/ui\/drains$/);
  await until('the order is past', async () => (await p.locator('#live').innerText()).includes('drain az eu-b') && (await p.locator('section[aria-labelledby=h-orders] .none').count()) === 1);
  await clean('the list of drains');
  await shoot(p, 'drains');

  for (const [name, at] of [['service', '/ui/services/www.demo.fairlead.test?client=192.0.2.1'], ['endpoint', '/ui/endpoints/demo.fairlead.test/web-eu/web-eu-a']]) {
    await p.goto(proxy.base + at);
    await p.waitForSelector('.pulse.on');
    if (name === 'service') {
      await until('charts say that their times are UTC', async () => {
        const legends = await p.locator('.chart .u-legend').allInnerTexts();
        return legends.length > 0 && legends.every((l) => l.trim().startsWith('UTC'));
      });
    }
    await clean(`the page of a ${name}`);
    await shoot(p, name);
  }
  await p.click('text=Probe from n1');
  check((await p.locator('section[aria-labelledby=h-probe]').innerText()).includes('first byte'), 'a probe now says how long each phase took');
  check(p.faults.length + v.faults.length === 0, `no violation of the policy, no error of the page: ${p.faults} ${v.faults}`);
} finally {
  proxy.end();
  reading.end();
  await browser.close();
}
process.exit(0);
