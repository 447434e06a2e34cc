// The scheme that was chosen holds before anything is drawn.
try { const t = localStorage.getItem("polyvoke-theme"); if (t) document.documentElement.dataset.theme = t; } catch { }
