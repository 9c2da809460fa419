-- From here on a tenant's body may hold the keys of its files, wrapped. A version that knows nothing of them
-- would lose them with the next change of the tenant, and so must not open this catalog.
SELECT 1;
