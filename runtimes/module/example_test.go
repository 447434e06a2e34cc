package module_test

import (
	"fmt"
	"log"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

func ExampleParse() {
	m, err := module.Parse(runtimestest.Wasm())
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range m.Exports {
		fmt.Println(e.Kind, e.Name, e.Signature)
	}
	fmt.Println(m.CheckProcess())
	// Output:
	// memory memory memory 3.. pages
	// function _start () -> ()
	// <nil>
}

func ExampleModule_CheckProcess() {
	m, err := module.Parse([]byte(importing("wbg", "__wbg_alert")))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.CheckProcess())
	// Output: wasm module, import section, offset 17: the module imports the function "__wbg_alert" from "wbg", which polyvoke does not offer: that is wasm-bindgen, glue for JavaScript; build for the target wasm32-wasip1 without wasm-bindgen
}
