{{ config(materialized='incremental', unique_key='placed', incremental_strategy='delete+insert', on_schema_change='append_new_columns') }}
select placed, sum(amount) as total from {{ ref('orders') }}
{% if is_incremental() %} where placed >= (select max(placed) from {{ this }}) {% endif %}
group by placed
