// How a report looks.
#pragma once

namespace nowcell {

/// Colours of drawings (drawing.h, chart.cpp) are repainted where the page is dark.
inline constexpr const char* kPageStyle = R"css(
:root{color-scheme:light dark;--paper:#fff;--ink:#1f2326;--soft:#5a6268;--line:#dde1e4;--faint:#f5f6f7;--accent:#0b5a8f;--best:#07456e}
@media (prefers-color-scheme:dark){:root{--paper:#15181a;--ink:#e3e6e8;--soft:#a2aab0;--line:#343a3f;--faint:#1d2124;--accent:#84bfe8;--best:#a9d6f5}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:76rem;margin:0 auto;padding:2.5rem 1.5rem 4rem}
h1{font-size:1.9rem;line-height:1.2;font-weight:600;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
h3{font-size:1.02rem;font-weight:600;margin:.9rem 0 -.5rem}
h2{font-size:1.4rem;font-weight:600;margin:0;overflow-wrap:anywhere}
p{margin:0;max-width:60rem;overflow-wrap:anywhere}
a{color:var(--accent)}
.made,.about,.note,.label,figcaption,caption,dt,footer{color:var(--soft)}
.made{margin-top:.4rem}
.note,figcaption,caption,.label,footer{font-size:.88rem}
.verdict{font-size:1.08rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;margin:1.1rem 0 0;padding:0}
section{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:1.3rem 2rem;margin-top:2.6rem;padding-top:1.6rem;border-top:1px solid var(--line)}
section>*{grid-column:1/-1}
section>.half{grid-column:auto}
dl.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.7rem 2rem;margin:0}
dt{font-size:.8rem}
dd{margin:0;overflow-wrap:anywhere}
pre{margin:-.9rem 0 0;padding:.7rem .9rem;background:var(--faint);border-radius:4px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;font:.86rem/1.5 ui-monospace,"SF Mono",Consolas,"DejaVu Sans Mono",monospace}
.scroll{overflow-x:auto}
.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums;min-width:min(100%,34rem)}
caption{text-align:left;padding:0 0 .45rem}
th,td{padding:.32rem 1.4rem .32rem 0;text-align:left;vertical-align:baseline;border-bottom:1px solid var(--line)}
thead th{font-weight:600;font-size:.84rem;border-bottom:1px solid var(--soft)}
tbody th{font-weight:400}
.number{text-align:right;white-space:nowrap}
.best{font-weight:700;color:var(--best)}
figure{margin:0;min-width:0}
.half svg{margin:-.7rem 0 -.5rem -1.3rem}
figure svg,figure img{display:block;max-width:100%;height:auto}
figure img{background:#fff;border-radius:3px}
figcaption{margin-top:.4rem}
details{border-bottom:1px solid var(--line);padding-bottom:.4rem}
details .scroll{margin-top:1.2rem}
summary{cursor:pointer;color:var(--accent)}
footer{margin-top:3rem;padding-top:1.2rem;border-top:1px solid var(--line)}
footer h2{font-size:.95rem}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
svg [fill="#ffffff"]{fill:var(--paper)}
@media (prefers-color-scheme:dark){
svg [fill="#262626"]{fill:#e3e6e8}
svg [fill="#696969"]{fill:#a2aab0}
svg [fill="#b0b0b0"]{fill:#5d656b}
svg [fill="#e4e4e4"]{fill:#2c3236}
svg [stroke="#8c8c8c"]{stroke:#8f979d}
svg [stroke="#0072b2"]{stroke:#4aa8e0}svg [fill="#0072b2"]{fill:#4aa8e0}
svg [stroke="#d55e00"]{stroke:#f0853a}svg [fill="#d55e00"]{fill:#f0853a}
svg [stroke="#009e73"]{stroke:#2fc49a}svg [fill="#009e73"]{fill:#2fc49a}
svg [stroke="#5a5a5a"]{stroke:#c3c9cd}svg [fill="#5a5a5a"]{fill:#c3c9cd}
}
@media (max-width:56rem){section{grid-template-columns:minmax(0,1fr)}section>.half{grid-column:1/-1}}
@media (prefers-reduced-motion:reduce){.moving{display:none}}
@media print{.moving{display:none}body{background:#fff;font-size:10.5pt}main{max-width:none;padding:0}nav{display:none}figure,tr{break-inside:avoid}h2,caption{break-after:avoid}.scroll{overflow:visible}details::details-content{content-visibility:visible;height:auto}summary{display:none}}
)css";

}  // namespace nowcell
