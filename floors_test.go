package reelpass_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A new room: write it with its doc.go, then `go test . -update`. The room enters FLOORS on the lowest floor that its
// imports allow; move it higher by hand if it belongs there. -update never moves a room that FLOORS already has, and lifts
// none of the rules below.
var update = flag.Bool("update", false, "rewrite the rooms and imports of FLOORS; floors of known rooms stay")

const module = "reelpass"

// pureRooms read no clock, chance, file or network: what they need is given to them.
func pureRooms() []string {
	return []string{"internal/reel", "internal/fault", "internal/plan", "internal/config", "internal/phone"}
}

// room is a package as its files say. It is parsed and not asked of `go list`: what a child process reads is invisible to
// the test cache, so that a broken map would pass from there.
type room struct {
	dir     string // relative to the module, "." for the root
	name    string // package name
	files   []source
	imports []string // rooms of ours that the code (not its tests) imports, sorted
}

type source struct {
	path  string
	test  bool
	lines int
	ast   *ast.File
}

func TestFloors(t *testing.T) {
	rooms := house(t)
	known, err := readFloors("FLOORS")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		known = placed(rooms, known)
		if err := os.WriteFile("FLOORS", []byte(render(rooms, known)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("FLOORS")
	if err != nil {
		t.Fatal(err)
	}
	if want := render(rooms, placed(rooms, known)); want != string(text) {
		t.Errorf("FLOORS is not the map of the code (go test . -update rewrites it).\nThe code says:\n%s", want)
	}
	for _, r := range rooms {
		for _, imported := range r.imports {
			below, ok := known[imported]
			if here, ok2 := known[r.dir]; ok && ok2 && below >= here {
				t.Errorf("%s (floor %d) imports %s (floor %d): an import goes only to a lower floor", r.dir, here, imported, below)
			}
		}
	}
}

// placed gives each room its floor: the one FLOORS has, or for a new room the lowest that its imports allow.
func placed(rooms []room, known map[string]int) map[string]int {
	floors := map[string]int{}
	for range len(rooms) { // as often as the house can be high
		for _, r := range rooms {
			if floor, ok := known[r.dir]; ok {
				floors[r.dir] = floor
				continue
			}
			lowest := 0
			for _, imported := range r.imports {
				lowest = max(lowest, floors[imported]+1)
			}
			floors[r.dir] = min(lowest, len(rooms))
		}
	}
	return floors
}

const floorsHead = `# The map of imports: floor, room, and the rooms it imports. Tests are left out.
# An import goes only to a lower floor. floors_test.go compares this file with the code; after a change of
# imports or a new room: go test . -update. A room's floor is changed here, by hand.
`

func render(rooms []room, floors map[string]int) string {
	lines := make([]string, 0, len(rooms))
	for _, r := range rooms {
		line := fmt.Sprintf("%d  %-30s %s", floors[r.dir], r.dir, strings.Join(r.imports, " "))
		lines = append(lines, strings.TrimRight(line, " "))
	}
	slices.Sort(lines)
	return floorsHead + strings.Join(lines, "\n") + "\n"
}

func readFloors(name string) (map[string]int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	floors := map[string]int{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] == "#" {
			continue
		}
		floor, err := strconv.Atoi(fields[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %q does not begin with a floor", name, strings.TrimSpace(line))
		}
		floors[fields[1]] = floor
	}
	return floors, nil
}

func TestEachRoomHasADoorPlate(t *testing.T) {
	for _, r := range house(t) {
		plates := 0
		for _, f := range r.files {
			if f.test || f.ast.Doc == nil {
				continue
			}
			plates++
			if path.Base(f.path) != "doc.go" && r.name != "main" {
				t.Errorf("%s: the package comment belongs into doc.go", f.path)
			}
			if want := "Package " + r.name + " "; r.name != "main" && !strings.HasPrefix(f.ast.Doc.Text(), want) {
				t.Errorf("%s: the package comment should begin %q", f.path, want)
			}
		}
		if plates != 1 {
			t.Errorf("%s has %d package comments, want 1, in doc.go: what it knows, what not, where to go instead", r.dir, plates)
		}
	}
}

func TestPureRoomsArePure(t *testing.T) {
	for _, r := range house(t) {
		if !slices.Contains(pureRooms(), r.dir) {
			continue
		}
		for _, f := range r.files {
			if f.test {
				continue
			}
			for _, imported := range importsOf(f.ast) {
				named := r.dir == "internal/reel" && (imported == "context" || imported == "net/url") // reel.Desk names the type; an address is only read
				if impure(imported) && !named {
					t.Errorf("%s imports %s, and %s is pure", f.path, imported, r.dir)
				}
			}
			for _, call := range selectors(f.ast, "time", "Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker") {
				t.Errorf("%s uses %s, and %s is pure: the time is an argument", f.path, call, r.dir)
			}
		}
	}
}

func impure(imported string) bool {
	for _, p := range []string{"os", "net", "context", "database/sql", "math/rand", "crypto/rand", "syscall", "log", "testing"} {
		if imported == p || strings.HasPrefix(imported, p+"/") {
			return true
		}
	}
	return strings.HasPrefix(imported, "golang.org/x/sys") || strings.HasPrefix(imported, "golang.org/x/term")
}

func TestOnlyTestsImportPracticeRooms(t *testing.T) {
	for _, r := range house(t) {
		for _, imported := range r.imports {
			if strings.HasSuffix(imported, "test") && !strings.HasSuffix(r.dir, "test") {
				t.Errorf("%s imports %s: only tests do", r.dir, imported)
			}
		}
	}
}

// The budgets: they keep a file and an interface small enough to be held in the head.
func TestBudgets(t *testing.T) {
	var lines []int
	for _, r := range house(t) {
		if slices.Contains(forbiddenNames(), path.Base(r.dir)) || slices.Contains(forbiddenNames(), r.name) {
			t.Errorf("%s: a room is named after what it knows", r.dir)
		}
		for _, f := range r.files {
			if slices.Contains(forbiddenNames(), strings.TrimSuffix(path.Base(f.path), ".go")) {
				t.Errorf("%s: a file is named after what is in it", f.path)
			}
			if !f.test {
				lines = append(lines, f.lines)
				if f.lines > 700 {
					t.Errorf("%s has %d lines, more than 700", f.path, f.lines)
				}
			}
			habits(t, f)
		}
	}
	slices.Sort(lines)
	if p90 := lines[len(lines)*9/10]; p90 > 350 {
		t.Errorf("one file in ten has %d lines or more, want at most 350", p90)
	}
}

func forbiddenNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "manager", "managers", "service", "services", "misc"}
}

func habits(t *testing.T, f source) {
	t.Helper()
	if f.test {
		for _, call := range selectors(f.ast, "time", "Sleep") {
			t.Errorf("%s uses %s: wait for what you wait for, or use testing/synctest", f.path, call)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				t.Errorf("%s has an init: nothing happens before main", f.path)
			}
		case *ast.InterfaceType:
			methods := n.Methods.NumFields()
			if strings.HasSuffix(path.Dir(f.path), "test") { // a suite may name the union of what small interfaces want of one thing
				methods = 0
				for _, field := range n.Methods.List {
					methods += len(field.Names)
				}
			}
			if methods > 5 {
				t.Errorf("%s has an interface of %d methods, more than 5", f.path, methods)
			}
		}
		return true
	})
}

// selectors finds uses of the named members of a standard package, under whatever name the file imports it.
func selectors(file *ast.File, pkg string, members ...string) []string {
	local := ""
	for _, spec := range file.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p == pkg {
			local = path.Base(pkg)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && local != "" && x.Name == local && slices.Contains(members, s.Sel.Name) {
				found = append(found, pkg+"."+s.Sel.Name)
			}
		}
		return true
	})
	return found
}

func importsOf(file *ast.File) []string {
	var paths []string
	for _, spec := range file.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, p)
	}
	return paths
}

// house parses every Go file of the module. Folders with a go.mod of their own, testdata and hidden folders are not in it.
func house(t *testing.T) []room {
	t.Helper()
	byDir := map[string]*room{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			_, ownModule := os.Stat(filepath.Join(name, "go.mod"))
			hidden := strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || ownModule == nil
			if name != "." && hidden {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		f, err := parse(name)
		if err != nil {
			return err
		}
		dir := path.Dir(f.path)
		if byDir[dir] == nil {
			byDir[dir] = &room{dir: dir}
		}
		byDir[dir].add(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rooms := make([]room, 0, len(byDir))
	for _, r := range byDir {
		slices.Sort(r.imports)
		r.imports = slices.Compact(r.imports)
		rooms = append(rooms, *r)
	}
	slices.SortFunc(rooms, func(a, b room) int { return strings.Compare(a.dir, b.dir) })
	if len(rooms) < 2 {
		t.Fatalf("only %d rooms found: this test is blind", len(rooms))
	}
	return rooms
}

func (r *room) add(f source) {
	r.files = append(r.files, f)
	if f.test {
		return
	}
	r.name = f.ast.Name.Name
	for _, p := range importsOf(f.ast) {
		if ours, ok := strings.CutPrefix(p, module+"/"); ok {
			r.imports = append(r.imports, ours)
		}
	}
}

func parse(name string) (source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, fmt.Errorf("parse: %w", err)
	}
	return source{
		path: filepath.ToSlash(name), test: strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(text), "\n"), ast: file,
	}, nil
}
