# The version of a package: what it says itself, else what its name does; "" if nothing tells.
package: package.version or (builtins.parseDrvName (package.name or "")).version
