/* What tree-sitter's runtime reads of a language: its records in language version 14. */
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  bool visible, named, supertype;
} Metadata;

typedef struct {
  uint16_t lexer, scanner;
} LexMode;

typedef union {
  struct {
    uint8_t type;
    uint16_t state;
    bool extra, repetition;
  } shift;
  struct {
    uint8_t type, children;
    uint16_t symbol;
    int16_t precedence;
    uint16_t production;
  } reduce;
  struct {
    uint8_t count;
    bool reusable;
  } entry;
} Entry;

/* ACCEPT and RECOVER are types alone. */
#define NOTHING {.entry = {0, false}}
#define ENTRY {.entry = {1, true}}
#define SHIFT(number) {.shift = {0, number, false, false}}
#define EXTRA {.shift = {0, 0, true, false}}
#define REDUCE(number, count) {.reduce = {1, count, number, 0, 0}}
#define ACCEPT {.shift = {2, 0, false, false}}
#define RECOVER {.shift = {3, 0, false, false}}

typedef struct Lexer Lexer;
struct Lexer {
  int32_t lookahead;
  uint16_t result;
  void (*advance)(Lexer *, bool skip);
  void (*mark_end)(Lexer *);
  uint32_t (*get_column)(Lexer *);
  bool (*is_at_included_range_start)(const Lexer *);
  bool (*eof)(const Lexer *);
};

typedef struct {
  uint32_t version, symbols, aliases, tokens, external_tokens, states, large_states, productions,
      fields;
  uint16_t longest_alias;
  const uint16_t *large_rows, *rows;
  const uint32_t *starts;
  const Entry *actions;
  const char *const *names, *const *field_names;
  const void *field_slices, *field_entries;
  const Metadata *metadata;
  const uint16_t *public_symbols, *alias_map, *alias_sequences;
  const LexMode *modes;
  bool (*lex)(Lexer *, uint16_t state);
  bool (*lex_keyword)(Lexer *, uint16_t state);
  uint16_t keyword;
  struct {
    const bool *states;
    const uint16_t *tokens;
    void *(*create)(void);
    void (*destroy)(void *);
    bool (*scan)(void *, Lexer *, const bool *valid);
    unsigned (*serialize)(void *, char *);
    void (*deserialize)(void *, const char *, unsigned);
  } scanner;
  const uint16_t *primary_states;
} Language;

void *tree_sitter_graphc_external_scanner_create(void);
void tree_sitter_graphc_external_scanner_destroy(void *);
bool tree_sitter_graphc_external_scanner_scan(void *, Lexer *, const bool *);
unsigned tree_sitter_graphc_external_scanner_serialize(void *, char *);
void tree_sitter_graphc_external_scanner_deserialize(void *, const char *, unsigned);

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif
