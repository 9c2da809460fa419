//! Pages of money over time.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Money and growth",
    introduction: "Rates are decimals per period (per year of 365 days in `xnpv` and `xirr`); what is paid is negative; spreadsheets give the same values. \
What is not defined is NULL.",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "npv",
        "The present value of flows; the first is one period away (`first => 0`: now).",
        "SELECT round(npv(0.1, amount ORDER BY year)::numeric, 2) AS npv FROM flows",
    ),
    page(
        "irr",
        "The rate at which flows are worth nothing now; of several the one nearest to `guess`.",
        "SELECT round(irr(amount ORDER BY year)::numeric, 6) AS irr FROM flows",
    ),
    page(
        "irr_info",
        "The same with all rates and how many there are.",
        "SELECT irr_info(amount ORDER BY year) IS NOT NULL AS found FROM flows",
    ),
    page(
        "mirr",
        "The rate when payments cost `finance_rate` and receipts earn `reinvest_rate`.",
        "SELECT round(mirr(amount, finance_rate => 0.1, reinvest_rate => 0.05 ORDER BY year)::numeric, 6) AS mirr FROM flows",
    ),
    page(
        "xnpv",
        "`npv` by dates.",
        "SELECT round(xnpv(0.1, amount, paid ORDER BY paid)::numeric, 2) AS xnpv FROM flows",
    ),
    page(
        "xirr",
        "`irr` by dates.",
        "SELECT round(xirr(amount, paid ORDER BY paid)::numeric, 6) AS xirr FROM flows",
    ),
    page(
        "pmt",
        "What a loan costs each period.",
        "SELECT round(pmt(0.05 / 12, 360, 200000)::numeric, 2) AS payment",
    ),
    page(
        "fv",
        "What payments are worth at the end.",
        "SELECT round(fv(0.05, 10, -100)::numeric, 2) AS value",
    ),
    page(
        "pv",
        "What payments are worth now.",
        "SELECT round(pv(0.05, 10, -100)::numeric, 2) AS value",
    ),
    page(
        "nper",
        "How many payments a loan takes.",
        "SELECT round(nper(0.01, -100, 1000)::numeric, 4) AS periods",
    ),
    page(
        "rate",
        "The rate of an annuity.",
        "SELECT round(rate(360, -1073.64, 200000)::numeric, 8) AS rate",
    ),
    page(
        "cagr",
        "The constant rate of growth from `first` to `last`.",
        "SELECT round(cagr(100, 200, 5)::numeric, 6) AS cagr",
    ),
    page(
        "growth_rate",
        "x / x of `periods` rows before − 1, over an ordered window.",
        "SELECT month, round(growth_rate(units, periods => 12) OVER (ORDER BY month)::numeric, 4) AS growth FROM sales WHERE shop = 'north' ORDER BY month DESC LIMIT 2",
    ),
    page(
        "ema",
        "The exponential moving average from the first value on: pandas' `ewm(alpha, adjust=False)`.",
        "SELECT year, ema(amount, alpha => 0.5) OVER (ORDER BY year) AS ema FROM flows ORDER BY year",
    ),
    page(
        "moving_average",
        "The mean of the last `rows`; NULL until there are so many.",
        "SELECT year, moving_average(amount, rows => 2) OVER (ORDER BY year) AS mean FROM flows ORDER BY year",
    ),
];
