; Colours by the names that editors give them. A node has one at most: in some editors the first
; pattern wins, in others the last.

(COMMENT) @comment
(STRING) @string
[(INT) (FLOAT)] @number
[(true) (false)] @boolean

["import" "from" "as"] @keyword.import
[
  "dim" "const" "input" "param" "output" "instance" "block" "rule" "derive" "require" "collect"
  "next" "carry"
] @keyword
["repeat" "scan" "in" "until"] @keyword.repeat
["if" "else"] @keyword.conditional
["and" "or" "not"] @keyword.operator
["wrt" "per" "residual"] @keyword

[(ADD) (MUL) (CMP) "**" "=" "->" "~" ".." "..." ".*" "_"] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ":" "."] @punctuation.delimiter

(dimdef (NAME) @type)
(shape (name (NAME) @type))
(type . (NAME) @type.builtin)
(input (names (NAME) @variable.parameter))
(port . (NAME) @variable.parameter)
(kwarg . (NAME) @variable.parameter)
(param (names (NAME) @variable.member))
(const "const" . (NAME) @constant)
(family . (NAME) @module)
(alias (NAME) @function)
(block "block" . (NAME) @function)
(derive "derive" . (NAME) @attribute)
(rule "rule" . (NAME) @attribute)
(call . (name (NAME) @function.call))
(call . (member (NAME) @function.call .))
(stage_call . (dotted (NAME) @function.call .))
