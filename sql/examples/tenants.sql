-- For the operator: one table, every tenant's rows.
SELECT tenant_id, frequency, count(DISTINCT series) AS series, count(*) AS rows, max(at) AS last
FROM sales
GROUP BY tenant_id, frequency
ORDER BY tenant_id, frequency;
