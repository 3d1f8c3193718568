"""Build the extension for Visual Studio Code: `python docs/editors/vsix.py [OUT.vsix]`.

A vsix is a zip: the files of `vscode/`, the TextMate grammar, and two that say what they are.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
GRAMMAR = "graph.tmLanguage.json"

TYPES = """<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension=".json" ContentType="application/json"/>
  <Default Extension=".js" ContentType="application/javascript"/>
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
"""
MANIFEST = """<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="{name}" Version="{version}" Publisher="{publisher}"/>
    <DisplayName>{displayName}</DisplayName>
    <Description xml:space="preserve">{description}</Description>
    <Categories>{categories}</Categories>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="{engine}"/>
    </Properties>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code"/>
  </Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json"
      Addressable="true"/>
  </Assets>
</PackageManifest>
"""


def build(out: Path) -> None:
    """Write the extension; the same files make the same bytes."""
    package = json.loads((HERE / "vscode" / "package.json").read_text(encoding="utf-8"))
    told = {**package, "categories": ",".join(package["categories"])}
    manifest = MANIFEST.format(engine=package["engines"]["vscode"], **told)
    files = {"[Content_Types].xml": TYPES.encode(), "extension.vsixmanifest": manifest.encode()}
    for path in sorted([*(HERE / "vscode").iterdir(), HERE / GRAMMAR]):
        files[f"extension/{path.name}"] = path.read_bytes()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "graphc.vsix")
    build(target)
    print(f"{target}: code --install-extension {target}")
