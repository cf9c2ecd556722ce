"""How the page of a bench looks: in light and in darkness, wide and narrow."""

STYLE = """
:root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1d2a33;--soft:#66737c;
--line:#e5e1d8;--before:#b9b3a6;--after:#2f7fb8;--cached:#1f9d78;--gain:#17694f}
@media(prefers-color-scheme:dark){:root{--paper:#12181d;--card:#1a2229;--ink:#e6ebee;--soft:#95a3ad;
--line:#2a353e;--before:#6c747a;--after:#58a8e0;--cached:#45c79e;--gain:#6fdcb6}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:68rem;margin:0 auto;padding:3rem 1.5rem 4rem}
h1{font-size:clamp(2rem,5vw,3.2rem);line-height:1.1;margin:.2rem 0 .8rem;letter-spacing:-.02em}
h2{font-size:1.25rem;margin:2.5rem 0 .8rem}
h3{font-size:1.1rem;margin:0}
.kicker{margin:0;color:var(--soft);text-transform:uppercase;letter-spacing:.12em;font-size:.78rem}
.lead{max-width:42rem;margin:0;color:var(--soft);font-size:1.1rem}
.legend{display:flex;gap:1.4rem;list-style:none;padding:0;margin:1.2rem 0 0}
.legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:.2rem;margin-right:.45rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,28rem),1fr));gap:1rem;
margin-top:2rem}
article{background:var(--card);border:1px solid var(--line);border-radius:.9rem;
padding:1.2rem 1.3rem}
.gain{margin:.1rem 0 .9rem;color:var(--soft)}
.gain b{color:var(--gain);font-size:1.6rem;letter-spacing:-.01em}
.loss b{color:var(--soft)}
.row{display:grid;grid-template-columns:4rem 1fr 5.2rem;gap:.7rem;align-items:center;
margin:.35rem 0}
.label,.counts,.note{color:var(--soft);font-size:.88rem}
.track{position:relative;height:1.05rem;border-radius:.3rem;background:var(--paper)}
.track i{position:absolute;left:0;top:0;bottom:0;border-radius:.3rem}
.track .whisker{top:46%;bottom:46%;opacity:.55}
.before i,i.before{background:var(--before)}.after i{background:var(--after)}
.cached i{background:var(--cached)}
.time{text-align:right;font-variant-numeric:tabular-nums;font-weight:600}
.counts{margin:.8rem 0 0}
.note{max-width:42rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{text-align:right;padding:.35rem .6rem;white-space:nowrap}
th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
thead th{color:var(--soft);font-weight:500;border-bottom:1px solid var(--line)}
tr.first td,tr.first th{border-top:1px solid var(--line)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.5rem;margin:0}
dt{color:var(--soft)}dd{margin:0}
@media(max-width:34rem){main{padding:2rem 1rem}dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}
.row{grid-template-columns:3.6rem 1fr 4.6rem}}
"""
