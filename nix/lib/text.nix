# Text of settings: placeholders, spelling, and the small helpers that several layers share.
{ policy, binaries, tools, groups }:
let
  debianTools = {
    false = "/bin/false";
    id = "/usr/bin/id";
    kill = "/usr/bin/kill";
    loginctl = "/usr/bin/loginctl";
    python3 = "/usr/bin/python3";
    systemctl = "/usr/bin/systemctl";
  };
  paths = debianTools // tools // policy.product.binaries // binaries;
  names = builtins.attrNames paths;
  roles = builtins.attrNames groups;
  from = map (name: "@${name}@") names ++ map (role: "@group:${role}@") roles;
  to = map (name: toString paths.${name}) names ++ map (role: groups.${role}) roles;
  filled = builtins.replaceStrings from to;
  yesNo = value: if value == true then "yes" else if value == false then "no" else toString value;
in
rec {
  inherit filled yesNo;
  tool = name: paths.${name};

  # The values with their placeholders filled; numbers stay numbers.
  values = map (one: one // { value = if builtins.isString one.value then filled one.value else one.value; });

  # nixpkgs declares GatewayPorts as text and AllowGroups as a list, and takes yes and no as booleans elsewhere.
  sshd =
    one:
    one
    // {
      value =
        if one.name == "GatewayPorts" then
          yesNo one.value
        else if one.name == "AllowGroups" then
          builtins.filter builtins.isString (builtins.split " " (filled one.value))
        else
          one.value;
    };

  journal =
    settings:
    "[Journal]\n" + builtins.concatStringsSep "" (map (one: "${one.name}=${yesNo one.value}\n") settings);

  joined =
    segments: filled (builtins.concatStringsSep "" (builtins.concatMap (one: map (line: line + "\n") one.lines) segments));

  # Whether `path` is a word of the line.
  mentions = path: line: builtins.elem path (builtins.filter builtins.isString (builtins.split " " line));
}
