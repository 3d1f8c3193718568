; The outline of Zed.
(block "block" @context . (NAME) @name) @item
(instance "instance" @context . (NAME) @name) @item
(repeat "repeat" @context (family . (NAME) @name)) @item
(scan "scan" @context (family . (NAME) @name)) @item
(input "input" @context (names (NAME) @name)) @item
(param "param" @context (names (NAME) @name)) @item
(output "output" @context (names (NAME) @name)) @item
