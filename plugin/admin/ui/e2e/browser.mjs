// What all browser tests share: a Chromium that counts violations of the policy and errors of the page, and a way in.
import { spawn } from 'node:child_process';
import { execFile } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const exec = promisify(execFile);
const require = createRequire(import.meta.url);
const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');

export const env = {
  bin: process.env.FAIRLEAD_BIN,
  socket: process.env.FAIRLEAD_SOCKET,
  url: process.env.FAIRLEAD_URL,
  shots: process.env.FAIRLEAD_SHOTS,
};

// fairlead runs the program against the node.
export async function fairlead(...args) {
  const { stdout } = await exec(env.bin, [...args, '--server', `unix:${env.socket}`]);
  return stdout;
}

// ask asks the node for www so many times: caches hold what it says.
export async function ask(times) {
  const resolver = new Resolver();
  resolver.setServers([process.env.FAIRLEAD_DNS]);
  for (let i = 0; i < times; i++) await resolver.resolve4('www.demo.fairlead.test');
}

// open starts a browser; close it at the end.
export async function open() {
  return chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

// ui runs `fairlead ui`, which hands on to the node until end is called.
export function ui(...flags) {
  const child = spawn(env.bin, ['ui', '--no-open', ...flags, '--server', `unix:${env.socket}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let text = '';
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`fairlead ui ended with ${code}: ${text}`)));
    child.stdout.on('data', (b) => {
      text += b;
      const link = text.match(/^http:\S+$/m);
      if (link && text.endsWith('\n')) resolve({ link: link[0], base: new URL(link[0]).origin, end: () => child.kill() });
    });
  });
}

// page is a new page that notes what must not happen.
export async function page(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ignoreHTTPSErrors: true, ...options });
  const p = await context.newPage();
  // As in until: a machine that is busy with other tests is not the page's fault.
  p.setDefaultTimeout(60000);
  p.faults = [];
  p.on('console', (m) => { if (/Content.Security.Policy|Refused to/i.test(m.text())) p.faults.push(m.text()); });
  p.on('pageerror', (e) => p.faults.push(`page error: ${e.message}`));
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (e) => console.log(`Content-Security-Policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  });
  return p;
}

// enter follows a one-time link and waits until the page follows the node.
export async function enter(p, link) {
  await p.goto(link);
  await p.waitForURL((u) => u.pathname === '/ui/');
  await follows(p);
}

export const follows = (p) => p.waitForSelector('.pulse.on');

// violations are those of WCAG 2.2 AA that axe finds.
export async function violations(p) {
  // The policy forbids scripts of others in the page; the debugger's are not the page's.
  await p.evaluate(axe);
  const r = await p.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return r.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')).join(' | ')}`);
}

// shoot takes the page at three widths in both themes, if pictures are wanted.
export async function shoot(p, name) {
  if (!env.shots) return;
  await mkdir(env.shots, { recursive: true });
  const size = p.viewportSize();
  for (const width of [1440, 768, 320]) {
    for (const scheme of ['light', 'dark']) {
      await p.setViewportSize({ width, height: 900 });
      await p.emulateMedia({ colorScheme: scheme });
      await p.screenshot({ path: `${env.shots}/${name}-${width}-${scheme}.png`, fullPage: true });
    }
  }
  await p.setViewportSize(size);
  await p.emulateMedia({ colorScheme: 'light' });
}

// check fails with what is wrong.
export function check(ok, what) {
  if (!ok) throw new Error(what);
  console.log(`ok: ${what}`);
}

// until waits for something that the page or the program will say.
export async function until(what, f, ms = 60000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await f();
    if (got) { console.log(`ok: ${what}`); return got; }
    if (Date.now() > end) throw new Error(`waited ${ms} ms for: ${what}`);
    await new Promise((r) => setTimeout(r, 100));
  }
}
