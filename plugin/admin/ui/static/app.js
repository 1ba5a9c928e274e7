// What the pages do beyond following the node: times that run, the notice that a page is stale, keys, the theme.
'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const live = $('live');
  const pulse = $('pulse');
  const follows = pulse && pulse.dataset.follows === '1';
  // The node's clock is what counts; skew is how far this browser's is ahead of it.
  let skew = Date.now() - Number(document.body.dataset.now);
  let lastWord = Date.now();
  let lostAt = 0;
  const staleAfter = 15000;
  const now = () => Date.now() - skew;

  const pad = (n) => String(n).padStart(2, '0');
  function span(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
  }
  function countdown(ms) {
    const s = Math.max(0, Math.ceil(ms / 1000));
    const h = Math.floor(s / 3600);
    return (h ? `${h}:` : '') + `${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}`;
  }
  const utc = (t) => new Date(t).toISOString().slice(11, 19) + ' UTC';

  function tick() {
    const stale = follows && (lostAt > 0 || Date.now() - lastWord > staleAfter);
    for (const e of document.querySelectorAll('[data-until]')) {
      // A page that hears nothing says nothing of now: what runs down stands still and names the instant.
      const left = Date.parse(e.dataset.until) - now();
      const over = !stale && left <= 0 && e.dataset.after;
      e.classList.toggle('over', Boolean(over));
      const named = 'in' in e.dataset;
      const text = stale ? (named ? 'by ' : '') + utc(Date.parse(e.dataset.until)) : over || (named ? 'in ' : '') + countdown(left);
      if (e.textContent !== text) e.textContent = text;
    }
    for (const e of document.querySelectorAll('time[data-ago]')) {
      const text = span(now() - Date.parse(e.dateTime)) + ' ago';
      if (!stale && e.textContent !== text) e.textContent = text;
    }
    if (follows) tellStale(stale);
  }
  function tellStale(stale) {
    const note = $('stale');
    if (stale && note.hidden) {
      note.textContent = `Stale since ${utc(lastWord - skew)}: this page does not hear the node. It tries again by itself.`;
    }
    note.hidden = !stale;
    document.body.classList.toggle('is-stale', stale);
    pulse.classList.toggle('on', !stale && lastWord > 0);
    pulse.classList.toggle('off', stale);
    const word = stale ? 'stale' : 'live';
    if ($('pulse-word').textContent !== word) $('pulse-word').textContent = word;
  }
  function heard() { lastWord = Date.now(); lostAt = 0; }

  function locals(root) {
    for (const e of root.querySelectorAll('time[data-local]')) {
      const t = new Date(e.dateTime);
      if (!isNaN(t)) e.title = `${t.toLocaleString()} local, ${t.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    }
  }

  if (live && follows) {
    live.addEventListener('beat', (e) => {
      heard();
      const at = Number(e.detail && e.detail.data);
      if (at > 0) skew = Date.now() - at;
      tick();
    });
    document.addEventListener('htmx:sse:after:message', () => { heard(); locals(live); tick(); });
    document.addEventListener('htmx:sse:error', (e) => {
      if (e.detail && e.detail.status === 401) { location.href = '/ui/login'; return; }
      lostAt = lostAt || Date.now();
      tick();
    });
    document.addEventListener('htmx:sse:close', () => { lostAt = lostAt || Date.now(); });
    // If the first connection failed there is nothing that tries again: ask until the node answers, then begin anew.
    setInterval(async () => {
      if (live._htmx && live._htmx.sse) return;
      try {
        const r = await fetch('/ui/ping', { redirect: 'manual' });
        if (r.status === 204) location.reload();
      } catch { /* not yet */ }
    }, 5000);
  }

  // Keys. None of them acts while somebody types.
  let at = -1;
  let go = 0;
  function move(by) {
    const rows = [...document.querySelectorAll('.row')];
    if (!rows.length) return;
    const i = rows.indexOf(document.activeElement);
    at = Math.min(rows.length - 1, Math.max(0, (i >= 0 ? i : at) + by));
    rows[at].focus();
    rows[at].scrollIntoView({ block: 'nearest' });
  }
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, textarea, select, dialog[open]')) return;
    const row = e.target.closest('.row');
    if (go && Date.now() - go < 1500) {
      go = 0;
      const to = { o: '/ui/', d: '/ui/drains', t: '/ui/timeline', c: '/ui/cluster', p: '/ui/plans' }[e.key];
      if (to) { location.href = to; e.preventDefault(); return; }
    }
    switch (e.key) {
      case '/': { const q = document.querySelector('input[type=search]'); if (q) { q.focus(); q.select(); e.preventDefault(); } else location.href = '/ui/#q'; break; }
      case 'j': move(at < 0 ? 1 : 1); break;
      case 'k': move(-1); break;
      case 'g': go = Date.now(); break;
      case '?': $('help').showModal(); break;
      case 'Enter': { const a = row === e.target && row.querySelector('a'); if (a) a.click(); break; }
    }
  });

  const theme = $('theme');
  if (theme) theme.addEventListener('click', () => {
    const dark = getComputedStyle(document.documentElement).colorScheme.includes('dark') &&
      (document.documentElement.dataset.theme === 'dark' || (!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches));
    const to = dark ? 'light' : 'dark';
    document.documentElement.dataset.theme = to;
    try { localStorage.setItem('fairlead-theme', to); } catch { /* storage may be off */ }
  });

  // What follows the node is newer than the page; what does not, or hears nothing, is as old as it is.
  addEventListener('beforeprint', () => { if (follows) $('printed').textContent = new Date(lastWord - skew).toISOString(); });

  locals(document);
  tick();
  setInterval(tick, 1000);
})();
// Buttons: a second click for what is not typed, a name that must be typed, copying.
(() => {
  document.addEventListener('click', async (e) => {
    const twice = e.target.closest('[data-twice]');
    if (twice && !twice.dataset.armed) {
      e.preventDefault();
      twice.dataset.armed = '1';
      const word = twice.textContent;
      twice.textContent = twice.dataset.twice;
      setTimeout(() => { delete twice.dataset.armed; twice.textContent = word; }, 5000);
      return;
    }
    const copy = e.target.closest('[data-copy]');
    if (copy) {
      const word = copy.textContent;
      try {
        await navigator.clipboard.writeText(await (await fetch(copy.dataset.copy)).text());
        copy.textContent = 'Copied';
      } catch { copy.textContent = 'Not copied'; }
      setTimeout(() => { copy.textContent = word; }, 2000);
    }
  });
  for (const field of document.querySelectorAll('[data-must]')) {
    const button = field.form.querySelector('.danger');
    const look = () => { button.disabled = field.value.trim() !== field.dataset.must; };
    field.addEventListener('input', look);
    look();
  }
  const kind = document.getElementById('kind');
  if (kind) kind.addEventListener('change', () => document.getElementById('name').setAttribute('list', `known-${kind.value}`));
})();
document.addEventListener('input', (e) => {
  const shows = e.target.dataset.shows;
  if (shows) document.getElementById(shows).textContent = e.target.value;
});
// Charts of the last day: a step for each change, a gap where nothing is known.
(async () => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // light-dark() is resolved by an element's colour, not by the property.
  const probe = document.createElement('span');
  document.body.append(probe);
  const colour = (name) => { probe.style.color = css(name); return getComputedStyle(probe).color; };
  // Charts of one page begin at the same instant: the first that any of them knows of.
  const known = [];
  for (const box of document.querySelectorAll('.chart[data-series]')) {
    if (typeof uPlot === 'undefined') { box.textContent = 'Charts come with a program that was built with Node.'; continue; }
    let history;
    try {
      const r = await fetch(`/ui/history.json?hours=24&series=${encodeURIComponent(box.dataset.series)}`);
      if (!r.ok) throw new Error(r.status);
      history = await r.json();
    } catch { box.textContent = 'The history could not be read.'; continue; }
    if (history.series.length) known.push({ box, history }); else box.textContent = 'Nothing yet.';
  }
  const first = Math.min(...known.map(({ history }) => Math.max(Date.parse(history.since), Math.min(...history.series.flatMap((s) => s.points.map((p) => Date.parse(p.at))))))) / 1000;
  const clock = (seconds, digits) => new Date(seconds * 1000).toISOString().slice(11, digits);
  for (const { box, history } of known) {
    const now = Date.parse(history.at) / 1000;
    const since = Date.parse(history.since) / 1000;
    const times = new Set([first, now]);
    for (const s of history.series) for (const p of s.points) times.add(Math.max(since, Date.parse(p.at) / 1000));
    const xs = [...times].sort((a, b) => a - b);
    const percent = box.dataset.unit === '%';
    const rows = history.series.map((s) => {
      let i = -1;
      return xs.map((x) => {
        while (i + 1 < s.points.length && Date.parse(s.points[i + 1].at) / 1000 <= x) i++;
        const v = i < 0 ? null : s.points[i].value;
        return v === null ? null : v * (percent ? 100 : 1000);
      });
    });
    const name = (s) => s.name.slice(s.name.lastIndexOf('/') + 1);
    const axis = { stroke: colour('--dim'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') } };
    const unit = percent ? ' %' : ' ms';
    const chart = new uPlot({
      width: box.clientWidth - 16, height: 190, tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC'),
      scales: { y: { range: percent ? [0, 100] : (u, lo, hi) => [0, Math.max(1, hi * 1.1)] } },
      axes: [{ ...axis, values: (u, list, i, space, step) => list.map((v) => clock(v, step < 60 ? 19 : 16)) }, { ...axis, values: (u, list) => list.map((v) => v + unit), size: 64 }],
      series: [{ label: 'UTC', value: (u, v) => v === null ? '—' : clock(v, 19) }, ...history.series.map((s, i) => ({ label: name(s), stroke: colour(`--t${(2 * i) % 8}`), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false }, value: (u, v) => v === null ? '—' : v.toFixed(1) + unit }))],
    }, [xs, ...rows], box);
    chart.root.setAttribute('role', 'img');
    chart.root.setAttribute('aria-label', `${box.dataset.label} of the last 24 hours: ${history.series.map((s, i) => `${name(s)} now ${rows[i].at(-1) === null ? 'not known' : rows[i].at(-1).toFixed(1) + unit}`).join(', ')}`);
    addEventListener('resize', () => chart.setSize({ width: box.clientWidth - 16, height: 190 }));
  }
  probe.remove();
})();
