"""ParseJson, DumpJson and PrintRecursive beside a real Orthanc: the same line, the same print.

Numbers come out of ParseJson as floats in Orthanc, and LuaJIT does not tell 1.0 from 1: so numbers
that were read are printed by string.format here.
"""

from collections.abc import Iterator

import pytest
from lua_lines import differences, ours, theirs
from orthanc_peer import ORTHANC, Server, orthanc_running

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

SHOW = rb"""
local function show(value)
  if type(value) == 'number' then
    return string.format('number %.17g', value)
  elseif type(value) ~= 'table' then
    return type(value) .. ' ' .. (tostring(value):gsub('[^\32-\126]', function(character)
      return string.format('<%02x>', character:byte())
    end))
  end
  local names, parts = {}, {}
  for name in next, value do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for index, name in ipairs(names) do
    local text = tostring(name):gsub('%z', '<00>')
    parts[index] = type(name) .. ' ' .. text .. '=' .. show(value[name])
  end
  return '{' .. table.concat(parts, '; ') .. '}'
end
"""


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with orthanc_running(
        tmp_path_factory.mktemp("json") / "orthanc", ExecuteLuaEnabled=True
    ) as server:
        yield server


def literal(text: bytes) -> bytes:
    return b"'" + b"".join(b"\\%03d" % byte for byte in text) + b"'"


# --- ParseJson ---------------------------------------------------------------------------------

TEXTS = [
    b'1', b'1.5', b'1.0', b'-1', b'1e3', b'1E3', b'1e400', b'-0', b'-0.0', b'2147483648',
    b'4294967296', b'9007199254740993', b'9223372036854775807', b'9223372036854775808',
    b'18446744073709551615', b'18446744073709551616', b'-9223372036854775808',
    b'-9223372036854775809', b'01', b'+1', b'.5', b'1.', b'0x10', b'NaN', b'Infinity',
    b'-Infinity', b'nan', b'true', b'false', b'null', b'True', b'nul', b'""', b'"a"', b"'a'",
    b'"\\u00e9"', b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\u0000"', b'"a\\/b"', b'"\\x41"',
    b'"\\a"', b'"\t"', b'"\n"', b'"a\x00b"', b'"\xff"', b'"unterminated', b'[]', b'{}', b'[1,2]',
    b'[1,2,]', b'[,1]', b'[1,,2]', b'{"a":1}', b'{"a":1,}', b'{a:1}', b"{'a':1}",
    b'{"a":1,"a":2}', b'{"a" 1}', b'{"a":1 "b":2}', b'[1 2]', b'// c\n1', b'1 // c', b'/* c */ 1',
    b'[1, /* c */ 2] // x', b'# c\n1', b'', b' ', b'1 2', b'{} x', b'[1]]', b'[null]',
    b'[1,null,3]', b'[null,1]', b'{"a":null}', b'[[],{}]', b'{"1":2}', b'{"":1}', b'[true,false]',
    b'a', b'\xef\xbb\xbf1', b'\xef\xbb\xbf{"a":1}', b'[1\x00]', b']', b'}', b'[', b'{', b'{"a"',
    b'{"a":', b'"\\u12"', b'"\\u12G4"', b'"\\', b'{1:2}', b'{null:1}', b'{true:1}', b'[1]//',
    b'[1]/', b'/', b'/*', b'/* */', b'-', b'--1', b'1e', b'1e+', b'1.5e3', b'1-1', b'0.1',
    b'1e15', b'123456789012', b'1e-2', b'10000000000000000000000', b'tru', b'truex', b'nullx',
    b'[truefalse]', b'[1]\x00', b'{"a":1}garbage', b'\n\n  {"a"\n:\n1}', b'\x0c1', b'\x0b1',
    b'\r1', b'\x081', b'"\\ude00"', b'"\\ud83dx"', b'"\\ud83d\\u0041"', b'"\xc3\xa9"',
    b'{"\xc3\xa9":1}', b'[1.e5]', b'[1.5.5]', b'[1e5e5]', b'[--1]', b'[-]', b'[1a]', b'[1/**/,2]',
    b'[1,2/*x*/]', b'{"a"/*x*/:1}', b'{/*x*/"a":1}', b'{"a":/*x*/1}', b'[/*x*/]', b'[1,2,/*x*/]',
    b'{/*x*/}', b'{"a":1,/*x*/}', b'{"a":1/*x*/,"b":2}', b'{"a":1//x\n}', b'{,}', b'[,]',
    b'{"a":[1,2,{"b":null}]}', b'[1;2]', b'{"a"=1}', b'{"a":1;"b":2}', b'/*x*/', b'//x',
    b'// x\n// y\n[1]', b'1/**/', b'"a""b"', b'[1] [2]', b'[1],', b'1,', b'{"a\\u0000b":1}',
    b'{"a":1,"b":2,"a":3}', b'["\\u0000"]', b'[nan]', b'[NaN]', b'[Infinity]', b'[-Infinity]',
    b'[1e400]', b'[-1e400]', b'[1e-400]', b'/ 1', b'/x', b'[1,2 //c', b'"\\u00E9"',
    b'"\\uD83D\\uDE00"', b'"\\uD83D\\uD83D"', b'"\\uDE00\\uD83D"', b'"\\uffff"',
    b'"\\b\\f\\n\\r\\t\\"\\\\\\/"', b'[0x1]', b'[1_0]', b'{"a":}', b'{"a"}', b'{"a",}', b'{:1}',
    b'[}', b'{]', b'[1}', b'{"a":1]', b'"\r\n"', b'/*/ 1', b'/**/1', b'/***/1', b'/* * / */1',
    b'\t1', b'\xa01', b'\xc2\xa01', b'{"a":1} // c', b'{"a":1} /* c', b'[\n// c\n]', b'[1\n,2\n]',
    b'1.7976931348623157e308', b'4.9e-324', b'0.1e1', b'123456.789e3', b'[00]', b'[01]', b'[-01]',
    b'[1,null]', b'[null,null]', b'{"a":{"b":null}}', b'{"null":null}', b'[+1]', b'[+]', b'+',
    b'[-.5]', b'[-e1]', b'[+-1]', b'[-+1]', b'[1e+5]', b'[1e-]', b'[1E+]', b'[+Infinity]',
    b'[-99999999999999999999]', b'[1.]', b'[1.e]', b'[-1.5e-3]', b'{"":1,}', b'{"a":1,"":2,}',
    b'{"a":1,"b":2,}', b'{"a":1,,}', b'[1,2,,]', b'[1,2, ]', b'[1,2,\n]', b'{"a":1, }',
    b'[1 /*x*/ ,2]', b'[ ]', b'{ }', b'{/*x*/ }', b'{"a"://x\n1}', b'[//x\n1]',
    b'/*x*/[/*x*/1/*y*/]', b'{"a":1}/*', b'[1,/*]', b'[1]/*', b'//x\r[1]', b'/*x*//*y*/1', b'1/',
    b'{"a" :1}', b'[1/,2]', b'[1 / 2]', b'{"\\ud83d":1}', b'"\\ud83d\\n"', b'"\\uD83D\\uZZZZ"',
    b'"\\u 123"', b'"\\u-123"', b'"\\u12"x', b'[+.5]', b'[+01]', b'[1.5e]', b'[1.5e+]',
    b'[1e308]', b'[2e308]', b'[truex]', b'[true x]', b'[nulll]', b'[-1-1]', b'[1e5.5]', b'[1+1]',
    b'\xef\xbb\xbf', b'\xef\xbb1', b' \xef\xbb\xbf1', b'[\xef\xbb\xbf1]', b'{"a":+1}', b'{"a":-}',
    b'[99999999999999999999999999999999999999999999999999]', b'[-0]', b'[0.0]', b'[-0.0]',
    b'[-00]', b'[9223372036854775807]', b'[1e22]', b'[123456789012345678901234567890.5]',
    b'[0.30000000000000004]', b'"a\\\nb"', b'"\\0"', b'["\\\'"]', b'[1]\xff', b'[1e-320]',
    b'[+e]', b'[e]', b'[E5]', b'{"a":1,"a":null}', b'{"a":null,"a":1}', b'-a', b'-I', b'-N',
    b'-infinity', b'-Infinitx',
]  # fmt: skip


def test_every_text_is_read_as_orthanc_reads_it(orthanc):
    lines = [SHOW + b"print(show((ParseJson(" + literal(text) + b"))))" for text in TEXTS]

    assert differences(orthanc, lines) == {}


ARGUMENTS = [
    b"", b"nil", b"5", b"1.5", b"true", b"{}", b"'1', 2", b"'1', 2, 3", b"print", b"'[1]', nil",
    b"1e15", b"1/0", b"1e100", b"2^53", b"1e14", b"-5",
]  # fmt: skip


def test_every_argument_is_taken_as_orthanc_takes_it(orthanc):
    lines = [SHOW + b"print(show((ParseJson(%s))))" % arguments for arguments in ARGUMENTS]

    assert differences(orthanc, lines) == {}


# --- DumpJson ----------------------------------------------------------------------------------

STRINGS = [
    b'', b' ', b'1', b'1.5', b'1.50', b'-1', b'+1', b'1e3', b'0x10', b'007', b'1.', b'.5', b' 1',
    b'1 ', b'nan', b'inf', b'infinity', b'NaN', b'1e400', b'99999999999', b'9999999999999999999',
    b'18446744073709551616', b'2147483647', b'2147483648', b'-2147483648', b'-2147483649', b'1,5',
    b'1.0', b'1.2.840', b'20200101', b'000123', b'true', b'false', b'null', b'hello', b'"q"',
    b'a\\b', b'/', b'\x00', b'a\x00b', b'\x01', b'\x1f', b'\t\n\r\x08\x0c', b'\xc3\xa9',
    b'\xe6\x97\xa5\xe6\x9c\xac', b'\xf0\x9f\x98\x80', b'\xe2\x80\xa8', b'<a>', b'-', b'+', b'e',
    b'1e', b'0', b'-0', b'00', b'-0.0', b'1_000', b'\xd9\xa1', b'1\n', b'\t1', b'1\x00', b'0x',
    b'0x1p3', b'1E5', b'123456789.123', b'0.1', b'1e-7', b'1e15', b'1e16', b'1d', b'1f', b'1L',
    b'0xff', b'0x7fffffffffffffff', b'0x.8', b'0X1P+3', b'1e+', b'--1', b'- 1', b'1 1', b'1\x0b',
    b'\x0c1', b'1\xc2\xa0', b'0b1', b'1i', b'1LL', b'1ULL', b'Inf', b'-inf', b'NAN', b'-nan',
    b'0x1g', b'1e308', b'1e309', b'-1e309', b'0.1e-400', b'99999999999999999999999999', b'.',
    b'-.5', b'5.', b'.e1', b'9223372036854775807', b'9223372036854775808', b'1_1', b'1e1\n',
    b'0e0', b'1e-320', b'2e-308', b'\x80', b'\x80a', b'\x80\x80', b'\xbf', b'\xc0\x80',
    b'\xc1\xbf', b'\xc2', b'\xc3A', b'\xc3AB', b'\xc3"x', b'\xe9t\xe9', b'\xe9tx', b'\xe9ab\xff',
    b'\xe0\x80\x80', b'\xe0\xa0', b'\xe2\x82', b'\xe2\x82A', b'\xed\xa0\x80', b'\xed\xbf\xbfx',
    b'\xf0\x80\x80\x80', b'\xf0\x9f\x98', b'\xf4\x90\x80\x80', b'\xf5\x80\x80\x80',
    b'\xf7\xbf\xbf\xbf', b'\xf8abcd', b'\xff\xfe', b'M\xfcller', b'J\xe9r\xf4me', b'\xfc',
    b'\xef\xbf\xbf', b'\xc2\x80', b'\xc2\x9f', b'\xf0abc', b'\xf0ab', b'\xe9\xe9\xe9',
    b'\xff\xc3\xa9', b'\xf0abcd', b'\x7f',
]  # fmt: skip


@pytest.mark.parametrize("keep_strings", [b"", b", false", b", true"])
def test_every_string_is_written_as_orthanc_writes_it(orthanc, keep_strings):
    lines = [b"print(DumpJson(%s%s))" % (literal(text), keep_strings) for text in STRINGS]

    assert differences(orthanc, lines) == {}


NUMBERS = [
    b'1', b'1.5', b'1.0', b'1e15', b'1000000000000000', b'2^31', b'2^53', b'1e100', b'-0.0',
    b'0/0', b'1/0', b'-1/0', b'0.1', b'1/3', b'1e-10', b'1e-7', b'123456789.123', b'4294967296',
    b'-5', b'-2147483649', b'3e9', b'1e10', b'0.00001234', b'-2147483648.0', b'-2147483648.5',
    b'2147483647.0', b'2147483647.5', b'4294967295', b'1e16', b'1e17', b'1e18',
    b'123456789012345680', b'1e21', b'1e22', b'0.1+0.2', b'5e-324', b'1.7976931348623157e308',
    b'1e2', b'-1e2', b'1e-5', b'0.0001', b'123456.789e-3', b'3.14', b'-1.5', b'9007199254740993',
    b'-(0/0)', b'1e-20', b'1e-300', b'-1e-310', b'1+2^-52', b'1-2^-53', b'3+2^-51',
    b'2147483646+2^-21', b'true', b'false', b'nil', b'print',
]  # fmt: skip


def test_every_number_is_written_as_orthanc_writes_it(orthanc):
    alone = [b"print(DumpJson(%s))" % number for number in NUMBERS]
    within = [b"print(DumpJson({%s}), DumpJson({a = %s}))" % (number, number) for number in NUMBERS]

    assert differences(orthanc, alone + within) == {}


# Nested a few levels only: deeper ones write over the stack of Orthanc 1.10.1, which then crashes.
TABLES = [
    b'{}', b'{1,2}', b'{1,nil,3}', b'{nil,2}', b'{1,2,a=3}', b"{b=1,a=2,C=3,['']=4}",
    b'{[0]=1,[1]=2,[2]=3}', b'{[1]=1,[3]=3}', b'{[1.5]=1}', b"{['1']='a'}", b"{['1.0']='a'}",
    b"{['1x']='a'}", b"{['1 ']='a'}", b"{[' 1']='a'}", b"{['0']='a'}", b"{['0']='a',['1']='b'}",
    b'{1,2,3,4,5,6,7,8,9,10,11}', b'{[-1]=1}', b'{[2]=1}', b'{a={b={c={}}},x={{}, {{1}}}}',
    b'{true,false}', b'{a=print, b=1}', b'{print,1}', b'{coroutine.create(print)}',
    b'setmetatable({1},{__index={2,3},__len=error,__pairs=error,__tostring=error})',
    b"{a='1', b={'2', 'x'}}", b'{[\'\xc3\xa9\']=\'\xc3\xbc\', [\'"\']=\'\\\\\'}',
    b"{['\\255']=1}", b"{['a\\0b']=1}", b"{z=1,a=1,M=1,['10']=1,['9']=1,['_']=1,['\xc3\xa9']=1}",
    b'{[1]=1,[2]=2,[2.5]=3}', b'{[2^53]=1}', b'{[1e15]=1}', b'{[1e100]=1}', b"{1,2,a='3'}",
    b"{('x'):rep(100)}", b"{a='x\\nb', b={1,2,{c=1}}}", b'{1,2,3,nil,5}', b'{n=1,[1]=2}',
    b'{[1]=nil,[2]=nil}', b'{false}', b'{a=false,b=true}', b'{{}}', b"{[0]='a'}",
    b'{10,20,[4]=40}', b"{[3]='c',[1]='a',[2]='b'}", b"{[2]='b',[3]='c'}", b"{['1e0']=1}",
    b"{['+1']=1}", b"{['0x1']=1}", b'{{},{a=1}}', b'{a={1,2},b={{}}}', b'{[1]=1}', b'{a=nil}',
    b"{'a',['2']='b'}", b"{[1]=1,['x']=2}", b'{-1}', b"{'true'}", b"{'1','2'}",
    b"{[0]='z','a','b'}", b'{1.5,2}', b'{1/0}', b"{'%d'}", b"{['\\n']=1}", b"{[' ']=1}",
    b"{['\xc3\xa9']=1,['f']=2,['\\127']=3}", b'{[100]=1,[20]=2,[3]=3}', b'{[-1]=1,[-10]=2}',
    b'{[1.5]=1,[0.1]=2}', b'{[1/3]=1}', b'{[2^63]=1}', b'{[-2^63]=1}', b'{[1e14]=1}',
    b'{[1e16]=1}', b'{[2^70]=1}',
    b'(function() local t = {} for i = 1, 5 do t = {t} end return t end)()',
    b'(function() local t = {} for i = 1, 5 do t = {a = t} end return t end)()',
    b'(function() local t = {} for i = 5, 1, -1 do t[i] = i end return t end)()',
    b'(function() local t = {x = 1} for i = 1, 5 do t[i] = i end t.x = nil return t end)()',
    b'(function() local t = {} for i = 1, 12 do t[i] = i end t.a = 1 return t end)()',
]  # fmt: skip


def test_every_table_is_written_as_orthanc_writes_it(orthanc):
    lines = [b"print(DumpJson(%s))" % table for table in TABLES]
    kept = [b"print(DumpJson(%s, true))" % table for table in TABLES]

    assert differences(orthanc, lines + kept) == {}


@pytest.mark.parametrize("arguments", ["", "nil", "nil, true", "1, nil", "1, 1", "1, true, 2",
                                       "'1', 'true'", "'1', false", "'1', {}"])  # fmt: skip
def test_the_second_argument_is_true_or_false_or_not_there(orthanc, arguments):
    assert differences(orthanc, [b"print((DumpJson(%s)))" % arguments.encode()]) == {}


# --- PrintRecursive, print -----------------------------------------------------------------------

PRINTS = [
    b'PrintRecursive()', b'PrintRecursive(nil)', b'PrintRecursive(5)', b"PrintRecursive('abc')",
    b'PrintRecursive({})', b"PrintRecursive({1, 2, 'x', {3, 4}})",
    b'PrintRecursive({a = {b = {c = 1}}})', b'PrintRecursive({true})',
    b'PrintRecursive({[1.5] = 2})', b'print(PrintRecursive(1))', b'print(PrintRecursive({1, 2}))',
    b'print(PrintRecursive({}))', b'PrintRecursive({a = {}})', b"PrintRecursive('m\\nl')",
    b'PrintRecursive({[true] = 1})', b'PrintRecursive(setmetatable({}, {__tostring = error}))',
    b'PrintRecursive({1, 2, 3, 4, 5}, 3)', b"PrintRecursive({1, 2, 3, 4, 5}, 3, '>')",
    b"print(PrintRecursive({1, {2, 3}, 4, 5}, 3, '>'))",
    b'local t = {} for i = 1, 102 do t[i] = i end print(PrintRecursive(t))',
    b'PrintRecursive(1, 0)', b'PrintRecursive(1, 1)', b'PrintRecursive(1, false)',
    b'PrintRecursive(1, 5, 7)', b'PrintRecursive({1}, 5, 7)', b"PrintRecursive('')",
    b'PrintRecursive({{}, {}})', b"PrintRecursive({['a b'] = {}})",
    b"PrintRecursive({[''] = 1})", b'PrintRecursive({[-1] = 0})', b'PrintRecursive({nil, 2})',
    b"PrintRecursive({[setmetatable({}, {__tostring = function() return 'key' end})] = 1})",
    b'PrintRecursive(setmetatable({}, {__index = {1, 2}}))',
    b'PrintRecursive(setmetatable({}, {__len = function() return 3 end}))',
    b'PrintRecursive(setmetatable({}, {__pairs = function() return next, {7, 8}, nil end}))',
    b"PrintRecursive(setmetatable({1}, {__metatable = 'locked'}))",
    b'local s = {1} PrintRecursive({s, s})', b"PrintRecursive(nil, 2, 'p')",
    b'PrintRecursive({1, 2}, 5, nil, 7)', b"PrintRecursive({{1, 2}, 3}, 3, '--')",
    b'PrintRecursive({1}, 3, false)', b"PrintRecursive({1}, false, 'x')",
    b'PrintRecursive(1, 5, true)', b'print(select("#", PrintRecursive(1)))',
    b'print(PrintRecursive({1, 2}, 1.5))', b'print(PrintRecursive({1, 2}, 2.5))',
    b'print(PrintRecursive({1}, 0.5))', b'print(PrintRecursive({1}, -3))',
    b'print(PrintRecursive({}, 0))', b'print(PrintRecursive({}, 1))',
    b'print(PrintRecursive({{}, {}, {}}, 1))', b'print(PrintRecursive({{}, 1, 2, {}}, 1))',
    b'print(PrintRecursive({{{1}}, {{2}}}, 1))', b'print(PrintRecursive({{{1}}, {{2}}}, 2))',
    b'print(PrintRecursive({1, {2, 3}, {4, 5}}, 3))',
    b'print(PrintRecursive({1, {2, 3}, {4, 5}}, 4))',
    b'print(PrintRecursive({1, {2, 3}, {4, 5}}, 5))', b'PrintRecursive({1, 2}, 1/0)',
    b'PrintRecursive({1, 2}, 0/0)', b"print((pcall(PrintRecursive, 1, '3')))",
    b'print((pcall(PrintRecursive, {}, true)))', b'print((pcall(PrintRecursive, {1}, 5, true)))',
    b'local t = {1} for i = 1, 150 do t = {t} end print(PrintRecursive(t))',
    b'local was, types = print, {}'
    b' function print(...) types[#types + 1] = type((select(3, ...))) end'
    b" PrintRecursive({1, true, 'x'}) print = was print(table.concat(types, ' '))",
    b'print()', b'print(nil)',
    b"print(1, nil, true, 'x')", b"print('\\255')", b"print(select('#', print(1)))",
    b"print(setmetatable({}, {__tostring = function() return 'meta' end}))", b"print('a\\n')",
    b"print('', 'table')", b"print('a', '', 'b')", b"print('', '', 'b')", b"print('', nil)",
    b"print(' ', 'b')", b"print('', '')", b"print(true, '', '')",
]  # fmt: skip


def test_everything_is_printed_as_orthanc_prints_it(orthanc):
    assert differences(orthanc, PRINTS) == {}


# --- where we differ ---------------------------------------------------------------------------

UNLIKE = {
    # Orthanc 1.10.1 calls a list what Lua happens to walk through in the order 1, 2, 3.
    b"print(DumpJson({[1] = 'x', [2] = 'y'}))": ('["x","y"]\n', '{"1":"x","2":"y"}\n'),
    # LuaJIT has one kind of numbers: 1.0 is 1, and is written in full.
    b"print(DumpJson({1.0, 10 / 2}, true))": ('["1","5"]\n', '["1.0","5.0"]\n'),
    b"print(DumpJson(1e15, true))": ('"1000000000000000"\n', '"1e+15"\n'),
    b"print(DumpJson('0xffffffffffffffff'))": ("1.8446744073709552e+19\n", "-1\n"),
    b"print(ParseJson('1'), ParseJson('[2]')[1])": ("1, 2\n", "1.0, 2.0\n"),
    b"print(DumpJson({0 / 0}, true))": ('["nan"]\n', '["-nan"]\n'),
    # The second result says why there is no first.
    b"print(ParseJson('['))": ("nil, line 1: the text ends where a value is expected\n", "nil\n"),
    # Orthanc's print ends at a NUL.
    b"print('a\\0b')": ("a\0b\n", "a\n"),
}


def test_what_is_known_to_differ_does_differ(orthanc):
    assert differences(orthanc, UNLIKE) == UNLIKE


@pytest.mark.parametrize("key", ["true", "{}", "print"])
def test_a_key_that_json_cannot_hold_ends_the_script_in_both(orthanc, key):
    line = b"print(DumpJson({[%s] = 1}))" % key.encode()

    assert ours(line).startswith("error: line:1: DumpJson: a ")
    assert theirs(orthanc, line).startswith("error: ")
