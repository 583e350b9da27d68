//! Refuses templates that would need too much stack.
//!
//! minijinja guards parentheses against recursion, but not runs of `-`, `not`, `else` and `elif`,
//! and long chains of operators become deep trees. Counting tokens first costs nothing.

use std::ops::Range;

use minijinja::machinery::{Token, Tokenizer};
use minijinja::syntax::SyntaxConfig;

/// Tokens that make the parser call itself.
const MOST_RECURSIVE: usize = 200;
/// Tokens between one pair of braces.
const MOST_TOKENS: usize = 2_000;
/// Open parentheses, brackets and braces.
const MOST_OPEN: usize = 100;

/// The token at which a template becomes too much.
pub(super) fn excess(code: &str, is_expression: bool) -> Option<Range<usize>> {
    let mut tokens = Tokenizer::new(code, "template", is_expression, SyntaxConfig::default());
    let (mut recursive, mut since_start, mut open) = (0, 0, 0_usize);
    while let Ok(Some((token, span))) = tokens.next_token() {
        since_start += 1;
        match token {
            Token::VariableStart | Token::BlockStart => (since_start, open) = (0, 0),
            Token::Minus | Token::Ident("not" | "if" | "else" | "elif") => recursive += 1,
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => open += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => open = open.saturating_sub(1),
            _ => {}
        }
        if recursive > MOST_RECURSIVE || since_start > MOST_TOKENS || open > MOST_OPEN {
            return Some(span.start_offset as usize..span.end_offset as usize);
        }
    }
    None
}
