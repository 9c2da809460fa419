//! GRANT, REVOKE and ALTER DEFAULT PRIVILEGES.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::Result;
use crate::planner::ast::{Body, Grant, Granted, Name, Objects};
use crate::planner::cursor::Cursor;

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Body>> {
    if cursor.accept(&["ALTER", "DEFAULT", "PRIVILEGES"]) {
        let mut roles = Vec::new();
        let mut schemas = Vec::new();
        loop {
            if cursor.accept(&["FOR", "ROLE"]) || cursor.accept(&["FOR", "USER"]) {
                roles = cursor.list(Cursor::role)?;
            } else if cursor.accept(&["IN", "SCHEMA"]) {
                schemas = cursor.identifiers()?;
            } else {
                break;
            }
        }
        let grant = grant(cursor)?.ok_or_else(|| cursor.unexpected())?;
        return Ok(Some(Body::DefaultPrivileges {
            roles,
            schemas,
            grant,
        }));
    }
    Ok(grant(cursor)?.map(Body::Grant))
}

fn grant(cursor: &mut Cursor<'_>) -> Result<Option<Grant>> {
    let revoke = if cursor.accept(&["GRANT"]) {
        false
    } else if cursor.accept(&["REVOKE"]) {
        true
    } else {
        return Ok(None);
    };
    let mut option = false;
    if revoke {
        option = cursor.accept(&["GRANT", "OPTION", "FOR"])
            || cursor.accept(&["ADMIN", "OPTION", "FOR"]);
    }
    let what = what(cursor)?;
    cursor.expect(&[if revoke { "FROM" } else { "TO" }])?;
    let grantees = cursor.list(grantee)?;
    let mut cascade = false;
    while !cursor.is_done() {
        if cursor.accept(&["WITH", "GRANT", "OPTION"])
            || cursor.accept(&["WITH", "ADMIN", "OPTION"])
            || cursor.accept(&["WITH", "ADMIN", "TRUE"])
        {
            option = true;
        } else if cursor.accept(&["CASCADE"]) {
            cascade = true;
        } else if cursor.accept(&["GRANTED", "BY"]) {
            // PostgreSQL takes only the current role here, which is the grantor anyway.
            cursor.role()?;
        } else if !cursor.accept(&["RESTRICT"]) {
            return Err(cursor.unexpected());
        }
    }
    Ok(Some(Grant {
        revoke,
        option,
        what,
        grantees,
        cascade,
    }))
}

/// `[ROLE | GROUP] name [IN TENANT tenant]`.
fn grantee(cursor: &mut Cursor<'_>) -> Result<Name> {
    if matches!(cursor.peek_at(1), Token::Word(_))
        && (cursor.is_at(0, "ROLE") || cursor.is_at(0, "GROUP"))
        && !cursor.is_at(1, "WITH")
        && !cursor.is_at(1, "IN")
    {
        cursor.advance();
    }
    cursor.role()
}

fn what(cursor: &mut Cursor<'_>) -> Result<Granted> {
    if cursor.accept(&["ALL"]) {
        cursor.accept(&["PRIVILEGES"]);
        let all_columns = if cursor.peek() == &Token::LParen {
            cursor.parenthesised(Cursor::identifier)?
        } else {
            Vec::new()
        };
        cursor.expect(&["ON"])?;
        return Ok(Granted::Privileges {
            privileges: None,
            all_columns,
            on: objects(cursor)?,
        });
    }
    let start = cursor.list(|cursor| {
        let name = cursor.role()?;
        let columns = if cursor.peek() == &Token::LParen {
            cursor.parenthesised(Cursor::identifier)?
        } else {
            Vec::new()
        };
        Ok((name, columns))
    })?;
    if !cursor.accept(&["ON"]) {
        return Ok(Granted::Roles(
            start.into_iter().map(|(name, _)| name).collect(),
        ));
    }
    let privileges = start
        .into_iter()
        .map(|(name, columns)| (keyword(&name), columns))
        .collect();
    Ok(Granted::Privileges {
        privileges: Some(privileges),
        all_columns: Vec::new(),
        on: objects(cursor)?,
    })
}

/// A privilege's word, read as a name because a role could have stood there.
fn keyword(name: &Name) -> String {
    use crate::planner::ast::RoleName;
    match &name.name {
        RoleName::Named(name) => name.to_uppercase(),
        RoleName::Public => "PUBLIC".to_owned(),
        RoleName::CurrentUser => "CURRENT_USER".to_owned(),
        RoleName::SessionUser => "SESSION_USER".to_owned(),
    }
}

fn objects(cursor: &mut Cursor<'_>) -> Result<Objects> {
    if cursor.accept(&["ALL", "TABLES", "IN", "SCHEMA"]) {
        return Ok(Objects::AllTablesInSchemas(cursor.identifiers()?));
    }
    for kind in ["FUNCTIONS", "ROUTINES", "PROCEDURES"] {
        if cursor.accept(&["ALL", kind, "IN", "SCHEMA"]) {
            return Ok(Objects::AllFunctionsInSchemas(cursor.identifiers()?));
        }
    }
    if cursor.accept(&["ALL", "SEQUENCES", "IN", "SCHEMA"]) {
        return Ok(Objects::AllSequencesInSchemas(cursor.identifiers()?));
    }
    if cursor.accept(&["SCHEMA"]) {
        return Ok(Objects::Schemas(cursor.identifiers()?));
    }
    if cursor.accept(&["DATABASE"]) || cursor.accept(&["TENANT"]) {
        return Ok(Objects::Databases(cursor.identifiers()?));
    }
    for kind in ["FUNCTION", "ROUTINE", "PROCEDURE"] {
        if cursor.accept(&[kind]) {
            return Ok(Objects::Functions(cursor.list(function)?));
        }
    }
    if cursor.accept(&["SEQUENCE"]) {
        return Ok(Objects::Sequences(cursor.list(Cursor::object_name)?));
    }
    if cursor.accept(&["TYPE"]) || cursor.accept(&["DOMAIN"]) {
        return Ok(Objects::Types(cursor.list(Cursor::object_name)?));
    }
    for kind in ["LANGUAGE", "TABLESPACE", "FOREIGN", "PARAMETER"] {
        if cursor.accept(&[kind]) {
            while !cursor.is_done() && !cursor.is_at(0, "TO") && !cursor.is_at(0, "FROM") {
                cursor.advance();
            }
            return Ok(Objects::Other(kind.to_lowercase()));
        }
    }
    for kind in [
        "TABLES",
        "FUNCTIONS",
        "ROUTINES",
        "SCHEMAS",
        "SEQUENCES",
        "TYPES",
    ] {
        if cursor.is_at(0, kind) && (cursor.is_at(1, "TO") || cursor.is_at(1, "FROM")) {
            cursor.advance();
            return Ok(Objects::Kind(kind.to_owned()));
        }
    }
    cursor.accept(&["TABLE"]);
    Ok(Objects::Tables(cursor.list(Cursor::object_name)?))
}

/// A function's name; its argument types do not matter, since a name has one privilege list.
fn function(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut name = cursor.identifier()?;
    while cursor.accept_token(&Token::Period) {
        name = cursor.identifier()?;
    }
    if cursor.accept_token(&Token::LParen) {
        let mut depth = 1;
        while depth > 0 {
            match cursor.advance() {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                Token::EOF => return Err(cursor.unexpected()),
                _ => {}
            }
        }
    }
    Ok(name)
}
