# Level to the severities of the controls that it puts in force; `strict` is what Debian gets.
{
  essential = [ "critical" "high" ];
  standard = [ "critical" "high" "medium" ];
  strict = [ "critical" "high" "medium" "low" ];
}
