// Starts a practice run of a plan with the wizard, approves it, and sees it end; a viewer may look at all that.
import { check, enter, open, page, shoot, ui, until, violations } from './browser.mjs';

const browser = await open();
const proxy = await ui();
const reading = await ui('--role', 'viewer');
try {
  const p = await page(browser);
  await enter(p, proxy.link);
  // The themes take turns.
  let dark = false;
  const clean = async (what) => {
    await p.setViewportSize({ width: 320, height: 900 });
    await p.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
    const found = await violations(p);
    check(found.length === 0, `axe finds nothing on ${what} at 320 px, ${dark ? 'dark' : 'light'}: ${found}`);
    const over = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(over <= 0, `${what} at 320 px is not wider than the window (${over} px)`);
    await p.setViewportSize({ width: 1440, height: 900 });
    dark = !dark;
  };
  await until('the node has read its plans', async () => {
    await p.goto(`${proxy.base}/ui/`);
    return (await p.locator('nav >> text=Plans').count()) === 1;
  });
  await p.click('nav >> text=Plans');
  await until('the plan was looked at', async () => (await p.locator('section[aria-labelledby=h-plans]').innerText()).includes('would go through'));
  await clean('the list of plans');
  await p.click('section[aria-labelledby=h-plans] >> text=small');
  await clean('a plan');
  await p.click('text=Start a run…');
  await p.check('input[name=practice]');
  await p.fill('#reason', 'game day');
  await p.click('text=Preview');
  check(await p.locator('#start').isDisabled(), 'a plan is not started before its name is typed');
  await clean('the wizard');
  await p.fill('#typed', 'small');
  await p.click('#start');
  await p.waitForURL(/\/ui\/runs\/run-small-/);
  const run = p.url();
  await p.waitForSelector('text=Approve word');
  await clean('a run that waits');
  await shoot(p, 'run');

  const v = await page(browser);
  await enter(v, reading.link);
  await until('the overview names the run that waits', async () => (await v.locator('section[aria-labelledby=h-plans]').innerText()).includes('waiting'));
  check((await violations(v)).length === 0, 'axe finds nothing on the overview with it');
  await v.goto(run.replace(proxy.base, reading.base));
  await v.waitForSelector('[aria-current=step]');
  check((await v.locator('main button:not([data-copy]), main form, main .button').count()) === 0, 'a viewer sees no buttons on a run');
  for (const word of ['approve', 'pause', 'resume', 'abort']) {
    const r = await v.request.post(`${run.replace(proxy.base, reading.base)}/${word}`, { form: { typed: run.split('/').pop(), reason: 'x' }, maxRedirects: 0 });
    check(r.status() === 403, `${word} by a viewer is 403`);
  }

  await p.fill('#reason', 'all is calm');
  await p.keyboard.press('Enter');
  check(p.url() === run && (await p.locator('text=Approve word').count()) === 1, 'a reason alone says nothing on the run');
  await p.click('text=Approve word');
  await until('the run has ended, without a reload by hand', async () => /is done/.test(await p.locator('.headline').innerText()));
  check((await p.locator('section[aria-labelledby=h-words]').innerText()).includes('all is calm'), 'the word and its reason are told');
  await until('the viewer sees it end', async () => /is done/.test(await v.locator('.headline').innerText()));
  await clean('a run that has ended');
  const markdown = await (await p.request.get(await p.evaluate(() => document.querySelector('a[href$="evidence.md"]').href))).text();
  check(markdown.startsWith('# Practice run run-small-') && markdown.includes('all is calm'), 'the evidence is there as Markdown');
  const signed = await (await p.request.get(await p.evaluate(() => document.querySelector('#evidence').href))).json();
  check(signed.signatures.length === 1 && JSON.parse(Buffer.from(signed.payload, 'base64').toString()).plan === 'small', 'and signed');
  check(p.faults.length + v.faults.length === 0, `no violation of the policy, no error of the page: ${p.faults} ${v.faults}`);
} finally {
  proxy.end();
  reading.end();
  await browser.close();
}
process.exit(0);
