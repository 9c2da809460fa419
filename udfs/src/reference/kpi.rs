//! Pages of measures of users.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Users",
    introduction: "Table functions over events.",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "cohort_retention",
        "How many users of each beginning come back: a row a cohort and number of periods later. Periods are days, weeks, months, quarters or years of UTC.",
        "SELECT cohort::date, cohort_size, period, active, retention FROM cohort_retention(visits, user_col => who, timestamp_col => at) ORDER BY 1, 3",
    ),
    page(
        "funnel",
        "How far users get through `steps`, in order; `within => '7 days'` bounds the time since the first step.",
        "SELECT step, event, users, conversion, step_conversion, median_seconds
  FROM funnel(visits, user_col => who, event_col => event, timestamp_col => at, steps => ('view', 'cart', 'buy'), within => '1 day') ORDER BY 1",
    ),
];
