/* Written by generate.py from grammar/graph.lark; do not edit. */

enum {
  ADD = 0,
  AND = 1,
  ARROW = 2,
  AS = 3,
  BLOCK = 4,
  CARRY = 5,
  CMP = 6,
  COLLECT = 7,
  COLON = 8,
  COMMA = 9,
  COMMENT = 10,
  CONST = 11,
  DERIVE = 12,
  DIM = 13,
  DOT = 14,
  ELLIPSIS = 15,
  ELSE = 16,
  EQUAL = 17,
  FALSE = 18,
  FLOAT = 19,
  FROM = 20,
  IF = 21,
  IMPORT = 22,
  IN = 23,
  INPUT = 24,
  INSTANCE = 25,
  INT = 26,
  LBRACE = 27,
  LPAR = 28,
  LSQB = 29,
  MUL = 30,
  NAME = 31,
  NEXT = 32,
  NOT = 33,
  OR = 34,
  OUTPUT = 35,
  PARAM = 36,
  PER = 37,
  POW = 38,
  RANGE = 39,
  RBRACE = 40,
  REPEAT = 41,
  REQUIRE = 42,
  RESIDUAL = 43,
  RPAR = 44,
  RSQB = 45,
  RULE = 46,
  SCAN = 47,
  STARS = 48,
  STRING = 49,
  TILDE = 50,
  TRUE = 51,
  UNDERSCORE = 52,
  UNTIL = 53,
  WRT = 54,
  SEP = 55,
};

enum {
  CONTINUES_AFTER = 1,
  CONTINUES_BEFORE = 2,
  BEGINS_STATEMENT = 4,
  HEADS_BODY = 8,
  ENDS_OPERAND = 16,
  BEGINS_OPERAND = 32,
};

static const unsigned char flags[] = {
  CONTINUES_AFTER | CONTINUES_BEFORE, CONTINUES_AFTER | CONTINUES_BEFORE, CONTINUES_AFTER |
  CONTINUES_BEFORE, 0, BEGINS_STATEMENT | HEADS_BODY, 0, CONTINUES_AFTER | CONTINUES_BEFORE,
  BEGINS_STATEMENT, 0, CONTINUES_AFTER, 0, BEGINS_STATEMENT, BEGINS_STATEMENT, BEGINS_STATEMENT,
  0, 0, CONTINUES_BEFORE | HEADS_BODY, CONTINUES_AFTER, ENDS_OPERAND | BEGINS_OPERAND,
  ENDS_OPERAND | BEGINS_OPERAND, BEGINS_STATEMENT, BEGINS_STATEMENT | HEADS_BODY,
  BEGINS_STATEMENT, 0, BEGINS_STATEMENT, BEGINS_STATEMENT, ENDS_OPERAND | BEGINS_OPERAND,
  CONTINUES_AFTER, 0, 0, CONTINUES_AFTER | CONTINUES_BEFORE, ENDS_OPERAND | BEGINS_OPERAND, 0,
  BEGINS_OPERAND, CONTINUES_AFTER | CONTINUES_BEFORE, BEGINS_STATEMENT, BEGINS_STATEMENT, 0,
  CONTINUES_AFTER | CONTINUES_BEFORE, 0, CONTINUES_BEFORE | ENDS_OPERAND, HEADS_BODY,
  BEGINS_STATEMENT, 0, ENDS_OPERAND, ENDS_OPERAND, BEGINS_STATEMENT, BEGINS_STATEMENT |
  HEADS_BODY, 0, ENDS_OPERAND, CONTINUES_AFTER, ENDS_OPERAND | BEGINS_OPERAND, 0,
  BEGINS_STATEMENT, 0, 0
};

typedef struct {
  const char *text;
  int token;
} Spelling;

static const Spelling words[] = {
  {"_", 52}, {"and", 1}, {"as", 3}, {"block", 4}, {"carry", 5}, {"collect", 7}, {"const", 11},
  {"derive", 12}, {"dim", 13}, {"else", 16}, {"false", 18}, {"from", 20}, {"if", 21}, {"import",
  22}, {"in", 23}, {"input", 24}, {"instance", 25}, {"next", 32}, {"not", 33}, {"or", 34},
  {"output", 35}, {"param", 36}, {"per", 37}, {"repeat", 41}, {"require", 42}, {"residual", 43},
  {"rule", 46}, {"scan", 47}, {"true", 51}, {"until", 53}, {"wrt", 54}
};

static const Spelling signs[] = {
  {"!=", 6}, {"%", 30}, {"(", 28}, {")", 44}, {"*", 30}, {"**", 38}, {"+", 0}, {",", 9}, {"-", 0},
  {"->", 2}, {".", 14}, {".*", 48}, {"..", 39}, {"...", 15}, {"/", 30}, {"//", 30}, {":", 8},
  {"<", 6}, {"<=", 6}, {"=", 17}, {"==", 6}, {">", 6}, {">=", 6}, {"@", 30}, {"[", 29}, {"]", 45},
  {"{", 27}, {"}", 40}, {"~", 50}
};

static const int32_t letters[] = {
  0x393, 0x394, 0x398, 0x39b, 0x39e, 0x3a0, 0x3a3, 0x3a6, 0x3a8, 0x3a9, 0x3b1, 0x3b2, 0x3b3,
  0x3b4, 0x3b5, 0x3b6, 0x3b7, 0x3b8, 0x3b9, 0x3ba, 0x3bb, 0x3bc, 0x3bd, 0x3be, 0x3c0, 0x3c1,
  0x3c2, 0x3c3, 0x3c4, 0x3c5, 0x3c6, 0x3c7, 0x3c8, 0x3c9
};
