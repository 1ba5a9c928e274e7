// Runs before the page is drawn, so that it does not flash in the other theme.
'use strict';
try {
  const kept = localStorage.getItem('fairlead-theme');
  if (kept) document.documentElement.dataset.theme = kept;
} catch { /* storage may be off */ }
document.documentElement.classList.add('has-js');
