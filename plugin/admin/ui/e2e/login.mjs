// Logs in at an OIDC issuer, over TCP: by the authorization code flow with PKCE, as a person would.
import { check, env, follows, open, page, shoot, until, violations } from './browser.mjs';

const browser = await open();
try {
  const p = await page(browser);
  await p.goto(`${env.url}/ui/`);
  check(new URL(p.url()).pathname === '/ui/login', 'who is not logged in gets the page for logins');
  check((await violations(p)).length === 0, 'axe finds nothing on the page for logins');
  await shoot(p, 'login');
  await p.fill('#token', 'flt_of_nobody');
  await p.click('button:has-text("Log in")');
  check((await p.locator('.refused').innerText()).includes('no such token'), 'a token that nobody has is refused in words');
  check((await violations(p)).length === 0, 'axe finds nothing on the refusal');

  await p.click('#issuer');
  await p.waitForURL((u) => u.pathname === '/ui/');
  await follows(p);
  check((await p.locator('.who-name').innerText()).includes('ada@example.org · operator'), 'the issuer has said who it is, and its groups what she may');
  check((await p.locator('main .button:has-text("Drain")').count()) > 0, 'an operator sees what operators do');
  const cookies = await p.context().cookies(env.url);
  check(cookies.length === 1 && cookies[0].httpOnly && cookies[0].secure && cookies[0].sameSite === 'Strict', 'one cookie is left: HttpOnly, Secure, SameSite=Strict');

  console.log('now bob');
  const v = await page(browser);
  await until('bob, a viewer, is logged in', async () => {
    await v.goto(`${env.url}/ui/login`);
    await v.click('#issuer');
    await v.waitForURL((u) => u.pathname === '/ui/');
    return (await v.locator('.who-name').innerText()).includes('bob@example.org · viewer');
  });
  check((await v.locator('main .button').count()) === 0, 'a viewer sees no buttons');
  const r = await v.request.post(`${env.url}/ui/drains`, { form: { kind: 'az', name: 'eu-a', for: '900', reason: 'x', typed: 'eu-a' }, maxRedirects: 0 });
  check(r.status() === 403, 'and gives no orders');
  await v.click('text=Log out');
  check(new URL(v.url()).pathname === '/ui/login', 'the login ends when it is ended');
  check(p.faults.length + v.faults.length === 0, `no violation of the policy, no error of the page: ${p.faults} ${v.faults}`);
} finally {
  await browser.close();
}
process.exit(0);
