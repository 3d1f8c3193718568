/* The tokens of graphc, and its newline rule (NewlineRule in graphc/syntax/lexing/tokens.py).

   Which newlines end a statement depends on the token before, the brackets around and the token
   after. A newline that ends one is a token of no width before the next; all others are blanks. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "language.h"
#include "tokens.h"

#define COUNT(array) (sizeof(array) / sizeof(array[0]))
#define DEEPEST 200
#define LONGEST_WORD 16
#define NO_TOKEN 255

typedef struct {
  uint8_t previous, head; /* tokens, NO_TOKEN for none */
  uint8_t newline;        /* there was one since the token before, and it ended nothing yet */
  uint8_t depth;          /* of () and [] */
  uint8_t braces;         /* open ones */
  uint8_t outer[DEEPEST]; /* the depths outside of these */
} Scanner;

void *tree_sitter_graphc_external_scanner_create(void) {
  Scanner *scanner = calloc(1, sizeof(Scanner));
  if (scanner) scanner->previous = scanner->head = NO_TOKEN;
  return scanner;
}

void tree_sitter_graphc_external_scanner_destroy(void *scanner) { free(scanner); }

unsigned tree_sitter_graphc_external_scanner_serialize(void *given, char *out) {
  const Scanner *scanner = given;
  unsigned size = sizeof(Scanner) - DEEPEST + scanner->braces;
  memcpy(out, scanner, size);
  return size;
}

void tree_sitter_graphc_external_scanner_deserialize(void *given, const char *in, unsigned size) {
  Scanner *scanner = given;
  memset(scanner, 0, sizeof(Scanner));
  scanner->previous = scanner->head = NO_TOKEN;
  if (size) memcpy(scanner, in, size);
}

/* ---- tokens ------------------------------------------------------------------------------------ */

static bool is_digit(int32_t c) { return c >= '0' && c <= '9'; }

static bool is_letter(int32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') return true;
  for (unsigned i = 0; i < COUNT(letters); i++)
    if (c == letters[i]) return true;
  return false;
}

static void take(Lexer *lexer) { lexer->advance(lexer, false); }

static void take_digits(Lexer *lexer) {
  while (is_digit(lexer->lookahead)) take(lexer);
}

static int take_word(Lexer *lexer) {
  char word[LONGEST_WORD + 1];
  unsigned length = 0;
  for (; is_letter(lexer->lookahead) || is_digit(lexer->lookahead); take(lexer)) {
    if (length < LONGEST_WORD) word[length] = lexer->lookahead < 128 ? (char)lexer->lookahead : '?';
    length++;
  }
  if (length > LONGEST_WORD) return NAME;
  word[length] = 0;
  for (unsigned i = 0; i < COUNT(words); i++)
    if (!strcmp(word, words[i].text)) return words[i].token;
  return NAME;
}

/* A number ends where it is marked, before a point or an e that no digit follows. */
static int take_number(Lexer *lexer) {
  int token = INT;
  take_digits(lexer);
  lexer->mark_end(lexer);
  if (lexer->lookahead == '.') {
    take(lexer);
    if (!is_digit(lexer->lookahead)) return token;
    take_digits(lexer);
    lexer->mark_end(lexer);
    token = FLOAT;
  }
  if (lexer->lookahead == 'e' || lexer->lookahead == 'E') {
    take(lexer);
    if (lexer->lookahead == '+' || lexer->lookahead == '-') take(lexer);
    if (!is_digit(lexer->lookahead)) return token;
    take_digits(lexer);
    lexer->mark_end(lexer);
    token = FLOAT;
  }
  return token;
}

static int take_string(Lexer *lexer) {
  take(lexer);
  bool empty = lexer->lookahead == '"';
  if (empty) take(lexer);
  if (empty && lexer->lookahead != '"') return STRING;
  if (empty) {
    take(lexer);
    for (int quotes = 0; quotes < 3; take(lexer)) {
      if (lexer->eof(lexer)) return NO_TOKEN;
      quotes = lexer->lookahead == '"' ? quotes + 1 : 0;
    }
    return STRING;
  }
  for (; lexer->lookahead != '"'; take(lexer)) {
    if (lexer->lookahead == '\\') take(lexer);
    if (lexer->lookahead == '\n' || lexer->eof(lexer)) return NO_TOKEN;
  }
  take(lexer);
  return STRING;
}

/* Take the longest sign: the beginnings of signs that are none themselves are no tokens. */
static int take_sign(Lexer *lexer) {
  char sign[4];
  int token = NO_TOKEN;
  for (unsigned length = 0; length < 3 && lexer->lookahead > ' ' && lexer->lookahead < 127;) {
    int longer = NO_TOKEN;
    bool begins = false;
    sign[length++] = (char)lexer->lookahead;
    sign[length] = 0;
    for (unsigned i = 0; i < COUNT(signs); i++) {
      begins = begins || !strncmp(signs[i].text, sign, length);
      if (!strcmp(signs[i].text, sign)) longer = signs[i].token;
    }
    if (!begins) break;
    take(lexer);
    token = longer;
  }
  return token;
}

/* ---- the newline rule -------------------------------------------------------------------------- */

static bool ends(const Scanner *scanner, int next) {
  int previous = scanner->previous;
  if (!scanner->newline || previous == NO_TOKEN || previous == LBRACE) return false;
  if (flags[next] & BEGINS_STATEMENT) return true;
  if (scanner->depth) return flags[previous] & ENDS_OPERAND && flags[next] & BEGINS_OPERAND;
  return !(flags[previous] & CONTINUES_AFTER) && !(flags[next] & CONTINUES_BEFORE);
}

static void follow(Scanner *scanner, int token) {
  if (scanner->head == NO_TOKEN) scanner->head = (uint8_t)token;
  if (token == LPAR || token == LSQB) {
    if (scanner->depth < NO_TOKEN) scanner->depth++;
  } else if (token == RPAR || token == RSQB) {
    if (scanner->depth) scanner->depth--;
  } else if (token == LBRACE) {
    if (scanner->braces < DEEPEST) scanner->outer[scanner->braces++] = scanner->depth;
    if (flags[scanner->head] & HEADS_BODY) {
      scanner->depth = 0;
      scanner->head = NO_TOKEN;
    }
  } else if (token == RBRACE) {
    scanner->depth = scanner->braces ? scanner->outer[--scanner->braces] : 0;
    scanner->head = NO_TOKEN;
  }
  scanner->previous = (uint8_t)token;
  scanner->newline = false;
}

bool tree_sitter_graphc_external_scanner_scan(void *given, Lexer *lexer, const bool *valid) {
  (void)valid; /* what stands here is the same wherever the parser is */
  Scanner *scanner = given;
  for (;; lexer->advance(lexer, true)) {
    int32_t c = lexer->lookahead;
    if (c == '\n' || c == ';' || c == '\r')
      scanner->newline = true;
    else if (c != ' ' && c != '\t')
      break;
  }
  if (lexer->eof(lexer)) return false;
  int32_t c = lexer->lookahead;
  if (c == '#') {
    while (lexer->lookahead != '\n' && !lexer->eof(lexer)) take(lexer);
    lexer->mark_end(lexer);
    lexer->result = COMMENT;
    return true;
  }
  lexer->mark_end(lexer);
  int token;
  if (is_digit(c)) {
    if (ends(scanner, INT)) goto ended;
    token = take_number(lexer);
  } else {
    token = is_letter(c) ? take_word(lexer) : c == '"' ? take_string(lexer) : take_sign(lexer);
    if (token == NO_TOKEN) return false;
    if (ends(scanner, token)) goto ended;
    lexer->mark_end(lexer);
  }
  follow(scanner, token);
  lexer->result = (uint16_t)token;
  return true;
ended:
  scanner->depth = 0;
  scanner->head = NO_TOKEN;
  scanner->newline = false;
  lexer->result = SEP;
  return true;
}
