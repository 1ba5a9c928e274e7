// Goes through the other pages: axe finds nothing, in either theme, at each width; nothing is wider than the window.
import { check, enter, fairlead, open, page, shoot, ui, until, violations } from './browser.mjs';

const browser = await open();
const proxy = await ui();
try {
  const p = await page(browser);
  await enter(p, proxy.link);
  for (const [name, at] of [['overview', '/ui/'], ['timeline', '/ui/timeline'], ['cluster', '/ui/cluster'], ['config', '/ui/config?zone=demo.fairlead.test.'], ['whatif', '/ui/what-if?az.eu-a=down&w.web-us=60'], ['drains', '/ui/drains'], ['new', '/ui/drains/new'], ['service', '/ui/services/www.demo.fairlead.test'], ['endpoint', '/ui/endpoints/demo.fairlead.test/web-eu/web-eu-a']]) {
    await p.goto(proxy.base + at);
    for (const [width, scheme] of [[1440, 'light'], [1440, 'dark'], [768, 'light'], [320, 'light'], [320, 'dark']]) {
      await p.setViewportSize({ width, height: 900 });
      await p.emulateMedia({ colorScheme: scheme });
      // Colours are those of the theme and the layout that of the width: each is looked at once more, not all of them again.
      if (width !== 768 && (width !== 320 || scheme === 'light')) {
        const found = await violations(p);
        check(found.length === 0, `axe finds nothing on ${name} at ${width} px, ${scheme}: ${found}`);
      }
      const over = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      check(over <= 0, `${name} at ${width} px is not wider than the window (${over} px)`);
    }
    await p.setViewportSize({ width: 1440, height: 900 });
    await shoot(p, name);
  }
  await p.goto(`${proxy.base}/ui/`);
  await p.emulateMedia({ media: 'print', colorScheme: 'dark' });
  check(await p.locator('.printed').isVisible() && !(await p.locator('nav').isVisible()), 'on paper a page says of which node and when it is, and has nothing to click on');
  check(await p.evaluate(() => getComputedStyle(document.body).backgroundColor) === 'rgb(255, 255, 255)', 'paper is white, whatever the theme');
  await shoot(p, 'print');
  await p.emulateMedia({ media: 'screen', colorScheme: 'light' });
  await p.goto(`${proxy.base}/ui/what-if?az.eu-a=down`);
  check((await p.locator('.changes').innerText()).includes('70 % moves') || (await p.locator('.changes').innerText()).includes('28 % moves'), 'what-if says what would move');
  // Without a reload: the slider keeps its place, and what follows from it is there.
  await p.goto(`${proxy.base}/ui/what-if`);
  await p.evaluate(() => { globalThis.sameDocument = true; });
  await p.locator('input[type=range]').last().focus();
  for (let i = 0; i < 10; i++) await p.keyboard.press('ArrowLeft');
  await until('what-if follows its sliders', async () => (await p.locator('section[aria-labelledby=h-then]').count()) === 1 && (await p.locator('.changes').innerText()).includes('moves'));
  check(await p.evaluate(() => globalThis.sameDocument === true && document.activeElement.type === 'range'), 'and the page was not loaded anew');
  const text = await (await p.request.get(`${proxy.base}/ui/timeline.md?kind=endpoint.`)).text();
  check(text.startsWith('| UTC |') && text.includes('endpoint.up'), 'the timeline is there as Markdown');

  await p.goto(`${proxy.base}/ui/cluster`);
  await p.waitForSelector('.pulse.on');
  await fairlead('demo', 'cut', 'node', 'n3');
  await until('the page says that n3 is not heard', async () => (await p.locator('.headline').innerText()).includes('hears 2 of 3'));
  await fairlead('demo', 'heal', 'node', 'n3');
  await until('and that it is again', async () => (await p.locator('.headline').innerText()).includes('hears 3 of 3'));
  check(p.faults.length === 0, `no violation of the policy, no error of the page: ${p.faults}`);
} finally {
  proxy.end();
  await browser.close();
}
process.exit(0);
