# Sandboxes of units. An empty first item clears what the vendor's unit has set, where assignments add up.
{ policy, text, active, on, ... }:
let
  # A unit that names a profile which is not loaded does not start.
  wanted = setting: setting.name != "AppArmorProfile" || on "apparmor";

  value =
    name: settings:
    let
      own = builtins.filter (one: one.name == name) settings;
      texts = map (one: text.filled one.value) own;
      first = builtins.head own;
    in
    if first.resets && texts != [ "" ] then [ "" ] ++ texts
    else if builtins.length texts == 1 then builtins.head texts
    else texts;

  section =
    name: settings:
    let
      own = builtins.filter (one: one.section == name) settings;
    in
    builtins.listToAttrs (map (one: { inherit (one) name; value = value one.name own; }) own);

  unit =
    _name: described:
    let
      settings = builtins.filter wanted (active described.settings);
    in
    {
      serviceConfig = section "Service" settings;
      unitConfig = section "Unit" settings;
    };
in
{
  systemd.services = builtins.mapAttrs unit policy.units;
}
