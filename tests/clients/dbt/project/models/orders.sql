{{ config(materialized='table') }}
select id, customer, amount::numeric(10, 2) as amount, placed::date as placed from {{ ref('raw_orders') }}
