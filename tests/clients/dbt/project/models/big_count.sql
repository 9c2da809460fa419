{{ config(materialized='table', contract={'enforced': true}) }}
select count(*) as n from {{ ref('big') }}
